package sqlsuite

import (
	"bytes"
	"database/sql"
	"fmt"
	"math"

	"github.com/keyway-go/keyway/conformance"
)

// valueChecks are about values on their way into the database and back: each
// arrives as it was, or there is an error.
var valueChecks = []check{
	{
		ID: "value/int64-extremes", Level: conformance.Must,
		Rule:   "Every int64 reads back as it was stored, also those that no float64 holds.",
		Source: "database/sql/driver, Value",
		Run:    with(valueInt64Extremes),
	},
	{
		ID: "value/float64", Level: conformance.Must,
		Rule:   "Every finite float64 reads back to the last bit, the greatest, the least and the subnormal ones too.",
		Source: "database/sql/driver, Value",
		Run:    with(valueFloat64),
	},
	{
		ID: "value/float64-special", Level: conformance.Should,
		Rule:   "Negative zero, the infinities and NaN read back as they are, or are refused; they do not become another number or NULL.",
		Source: "database/sql/driver, Value; SQLite stores NaN as NULL (sqlite3_bind_double)",
		Run:    with(valueFloat64Special),
	},
	{
		ID: "value/bool", Level: conformance.Must,
		Rule:   "true and false read back into a bool.",
		Source: "database/sql/driver, Value and Bool",
		Run:    with(valueBool),
	},
	{
		ID: "value/null-each-type", Level: conformance.Must,
		Rule:   "nil in a column of any type is NULL, and scans into the Null type for it as not valid.",
		Source: "database/sql, NullInt64 and the others: Scan gets nil for NULL",
		Run:    with(valueNullEachType),
	},
	{
		ID: "value/empty-string-vs-null", Level: conformance.Must,
		Rule:   "An empty string is not NULL, and reads back empty.",
		Source: "database/sql, NullString",
		Run:    with(valueEmptyStringVsNull),
	},
	{
		ID: "value/nil-vs-empty-bytes", Level: conformance.Must,
		Rule:   "A nil []byte is stored as NULL and reads back as nil; an empty one is not NULL and reads back empty.",
		Source: "database/sql scans NULL into []byte as nil; mattn/go-sqlite3#424, #542",
		Run:    with(valueNilVsEmptyBytes),
	},
	{
		ID: "value/string-nul", Level: conformance.Must,
		Rule:   "A string with NUL bytes in it reads back whole, or is refused; it is not cut off.",
		Source: "mattn/go-sqlite3#195",
		Run:    with(valueStringNUL),
	},
	{
		ID: "value/bytes-all-256", Level: conformance.Must,
		Rule:   "Bytes of all values read back as they were stored, with no regard to any encoding.",
		Source: "database/sql/driver, Value",
		Run:    with(valueBytesAll256),
	},
	{
		ID: "value/blob-1mib", Level: conformance.Must,
		Rule:   "A mebibyte of bytes reads back as it was stored.",
		Source: "database/sql/driver, Value",
		Run:    with(valueBlob1MiB),
	},
	{
		ID: "value/time-utc", Level: conformance.Must,
		Rule:   "A time in UTC scans into a time.Time as the same instant, at any time of the year.",
		Source: "database/sql/driver, Value; mattn/go-sqlite3#174",
		Run:    with(valueTimeUTC),
	},
	{
		ID: "value/time-location", Level: conformance.Must,
		Rule:   "A time in any location, with a name or without, scans into a time.Time as the same instant.",
		Source: "database/sql/driver, Value; mattn/go-sqlite3#174; time.Parse makes locations without a name",
		Run:    with(valueTimeLocation),
	},
	{
		ID: "value/time-subsecond", Level: conformance.Should,
		Rule:   "A time keeps its fraction of a second, to the microsecond at least.",
		Source: "SQL: a TIMESTAMP without a precision has six digits",
		Run:    with(valueTimeSubsecond),
	},
	{
		ID: "value/time-monotonic", Level: conformance.Must,
		Rule:   "The monotonic clock reading of time.Now is not stored: the time reads back as a time.Time, and a query for the same instant without the reading finds it.",
		Source: "time, Monotonic Clocks: a reading has no meaning outside the process; grafana/grafana#129518",
		Run:    with(valueTimeMonotonic),
	},
	{
		ID: "value/time-range", Level: conformance.Should,
		Rule:   "The beginning of 1970, times before it, in the year 1 and in the year 9999 read back as they are, or are refused.",
		Source: "database/sql/driver, Value; time.Time: the zero value is in the year 1",
		Run:    with(valueTimeRange),
	},
}

// shelf is a typed table whose columns take one value after another, with a
// database handle that has one connection.
type shelf struct {
	e     *env
	db    *sql.DB
	table string
	last  int
}

func (e *env) shelf() *shelf { return &shelf{e: e, db: e.db(1), table: e.table(CreateTyped)} }

// put stores a value in a row of its own.
func (s *shelf) put(prepared bool, column string, v any) error {
	s.last++
	text := s.e.sql(InsertTyped, "table", s.table, "column", column)
	if !prepared {
		_, err := s.db.ExecContext(s.e.ctx(), text, s.last, v)
		return err
	}
	st, err := s.db.PrepareContext(s.e.ctx(), text)
	if err != nil {
		return err
	}
	defer st.Close()
	_, err = st.ExecContext(s.e.ctx(), s.last, v)
	return err
}

// get scans what put stored last.
func (s *shelf) get(prepared bool, column string, dest any) error {
	text := s.e.sql(SelectTyped, "table", s.table, "column", column)
	if !prepared {
		return s.db.QueryRowContext(s.e.ctx(), text, s.last).Scan(dest)
	}
	st, err := s.db.PrepareContext(s.e.ctx(), text)
	if err != nil {
		return err
	}
	defer st.Close()
	return st.QueryRowContext(s.e.ctx(), s.last).Scan(dest)
}

// leave tells what a driver may do with a value.
type leave string

const (
	keep         leave = "the same back"
	keepOrRefuse leave = "the same back, or an error"
)

// trip stores a value and scans it into a T, directly and by prepared
// statements, and reports an error unless same accepts it.
func trip[T any](s *shelf, column string, in any, may leave, same func(out T) bool) {
	for _, way := range []string{"direct", "prepared"} {
		what := fmt.Sprintf("%s, %s in the column %s: wanted %s", way, show(in), column, may)
		if err := s.put(way == "prepared", column, in); err != nil {
			if may == keep {
				s.e.Errorf("%s, found the error %v when it was stored", what, err)
			}
			continue
		}
		var out T
		err := s.get(way == "prepared", column, &out)
		switch {
		case err != nil && may == keep:
			s.e.Errorf("%s, found the error %v when it was read", what, err)
		case err == nil && !same(out):
			s.e.Errorf("%s, found %s", what, show(out))
		}
	}
}

func valueInt64Extremes(e *env) {
	s := e.shelf()
	for _, n := range []int64{0, -1, math.MinInt64, math.MaxInt64, 1<<53 + 1, -1<<53 - 1} {
		trip(s, "i", n, keep, func(out int64) bool { return out == n })
	}
}

func sameBits(want float64) func(float64) bool {
	return func(out float64) bool { return math.Float64bits(out) == math.Float64bits(want) }
}

func valueFloat64(e *env) {
	s := e.shelf()
	for _, f := range []float64{
		0, 0.1, -1.0 / 3, 1e23, math.Pi, math.MaxFloat64, -math.MaxFloat64, 0x1p-1022, math.SmallestNonzeroFloat64, 1<<53 + 2,
	} {
		trip(s, "f", f, keep, sameBits(f))
	}
}

// valueFloat64Special takes any NaN for NaN: its payload means nothing.
func valueFloat64Special(e *env) {
	s := e.shelf()
	for _, f := range []float64{math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN()} {
		trip(s, "f", f, keepOrRefuse, func(out sql.Null[float64]) bool {
			return out.Valid && (sameBits(f)(out.V) || math.IsNaN(f) && math.IsNaN(out.V))
		})
	}
}

func valueBool(e *env) {
	s := e.shelf()
	for _, b := range []bool{true, false} {
		trip(s, "b", b, keep, func(out bool) bool { return out == b })
	}
}

func valueNullEachType(e *env) {
	s := e.shelf()
	trip(s, "i", nil, keep, func(out sql.NullInt64) bool { return !out.Valid })
	trip(s, "f", nil, keep, func(out sql.NullFloat64) bool { return !out.Valid })
	trip(s, "b", nil, keep, func(out sql.NullBool) bool { return !out.Valid })
	trip(s, "s", nil, keep, func(out sql.NullString) bool { return !out.Valid })
	trip(s, "x", nil, keep, func(out []byte) bool { return out == nil })
	trip(s, "t", nil, keep, func(out sql.NullTime) bool { return !out.Valid })
	trip(s, "c", nil, keep, func(out sql.NullString) bool { return !out.Valid })
	trip(s, "d", nil, keep, func(out sql.NullString) bool { return !out.Valid })
}

func valueEmptyStringVsNull(e *env) {
	s := e.shelf()
	for _, column := range []string{"s", "c"} {
		trip(s, column, "", keep, func(out sql.NullString) bool { return out.Valid && out.String == "" })
	}
}

func valueNilVsEmptyBytes(e *env) {
	s := e.shelf()
	trip(s, "x", []byte(nil), keep, func(out []byte) bool { return out == nil })
	trip(s, "x", []byte{}, keep, func(out []byte) bool { return out != nil && len(out) == 0 })
}

func valueStringNUL(e *env) {
	s := e.shelf()
	for _, text := range []string{"a\x00b", "\x00", "\x00a", "a\x00", "a\x00\x00b\x00"} {
		trip(s, "s", text, keepOrRefuse, func(out string) bool { return out == text })
	}
}

func valueBytesAll256(e *env) {
	s := e.shelf()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, b := range [][]byte{all, {0}, {0xff}, {0xc3, 0x28}, []byte("plain")} {
		trip(s, "x", b, keep, func(out []byte) bool { return bytes.Equal(out, b) })
	}
}

// valueBlob1MiB has no two pages alike, so that none can stand for another.
func valueBlob1MiB(e *env) {
	s := e.shelf()
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "%d, ", i*i)
	}
	blob := b.Bytes()[:1<<20]
	trip(s, "x", blob, keep, func(out []byte) bool { return bytes.Equal(out, blob) })
}
