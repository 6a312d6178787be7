package sqlsuite

import (
	"database/sql/driver"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plain writes a value as a text that is the same for all types in which a
// driver may hand it out.
func plain(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case []byte:
		if v == nil {
			return "NULL"
		}
		return string(v)
	}
	return fmt.Sprint(v)
}

// lines writes each row as a text, "1|row-1".
func lines(rows [][]driver.Value) []string {
	var out []string
	for _, row := range rows {
		var cells []string
		for _, v := range row {
			cells = append(cells, plain(v))
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

// series are the lines of the rows from the first to the last of Series.
func series(first, last int) []string {
	var out []string
	for n := first; n <= last; n++ {
		out = append(out, fmt.Sprintf("%d|row-%d|row-%d", n, n, n))
	}
	return out
}

// wantRows reports an error and returns false unless the rows are those that
// the lines show, and there was no error.
func (e *env) wantRows(what string, rows [][]driver.Value, err error, want ...string) bool {
	if err != nil {
		e.Errorf("%s: wanted %s, found the error %v", what, listed(want), err)
		return false
	}
	if got := lines(rows); !slices.Equal(got, want) {
		e.Errorf("%s: wanted %s, found %s", what, listed(want), listed(got))
		return false
	}
	return true
}

// wantPrefix reports an error and returns false unless the rows are all that
// the lines show, or the first of them and then an error: what a driver gives
// that says that it cannot go on.
func (e *env) wantPrefix(what string, rows [][]driver.Value, err error, want ...string) bool {
	got := lines(rows)
	if err == nil && len(got) < len(want) {
		e.Errorf("%s: wanted %s, or an error, found %s and io.EOF", what, listed(want), listed(got))
		return false
	}
	if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
		e.Errorf("%s: wanted %s, or an error, found %s", what, listed(want), listed(got))
		return false
	}
	return true
}

// listed writes a list of rows, without the middle of a long one.
func listed(rows []string) string {
	switch n := len(rows); {
	case n == 0:
		return "no row"
	case n > 5:
		return fmt.Sprintf("%d rows, %.60q ... %.60q", n, rows[:2], rows[n-1:])
	default:
		return fmt.Sprintf("%.60q", rows)
	}
}

// show writes a value with all that tells it from others: its type, whether it
// is nil, and every digit.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case []byte:
		switch {
		case v == nil:
			return "a nil []byte"
		case len(v) == 0:
			return "an empty []byte"
		case len(v) > 40:
			return fmt.Sprintf("%d bytes that begin with % x", len(v), v[:20])
		}
		return fmt.Sprintf("[]byte % x", v)
	case string:
		return fmt.Sprintf("string %.60q", v)
	case float64:
		return "float64 " + strconv.FormatFloat(v, 'g', -1, 64) + fmt.Sprintf(" (bits %#x)", math.Float64bits(v))
	case time.Time:
		return "time " + v.Format(time.RFC3339Nano)
	case driver.Valuer: // such as sql.NullString
		if inner, err := v.Value(); err != nil || inner != nil {
			return fmt.Sprintf("%T of %s", v, show(inner))
		}
		return "NULL"
	}
	return fmt.Sprintf("%T %v", v, v)
}

// told writes an error, or that there is none.
func told(err error) string {
	switch err {
	case nil:
		return "no error"
	case io.EOF:
		return "io.EOF"
	}
	return "the error " + err.Error()
}
