package reference

import (
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"
)

// dataMarks are what the mutants of dataMutants remember of a connection.
type dataMarks struct {
	statements int     // how many prepared statements are open
	empty      bool    // the last text had no statement
	unread     bool    // rows were closed with many unread
	current    *rows   // the newest
	scratch    []byte  // which all rows share
	result     *result // which all executions share
}

// rowsMarks are what they remember of rows.
type rowsMarks struct {
	goroutine string   // that made the query
	given     [][]byte // the bytes of the current row
	ended     bool     // Next has returned io.EOF
}

// stmtMarks are what they remember of a statement.
type stmtMarks struct {
	used   bool         // it was executed
	failed error        // of an earlier execution
	args   []any        // of the last execution
	names  []string     // of the columns of its first rows
	tx     *transaction // in which it was prepared
}

// track remembers what some mutants need to know of a new statement.
func (c *conn) track(s *stmt) error {
	s.marks.tx = c.tx
	if c.marks.data.statements++; c.marks.data.statements > 20 && c.broken("stmt/many-open") {
		return fault("54000", "too many statements are open")
	}
	return nil
}

// stale returns an error that has no place in this execution, and fills in
// arguments that have none either.
func (s *stmt) stale(args []driver.NamedValue) error {
	s.marks.used = true
	if s.marks.failed != nil && s.c.broken("stmt/reuse") {
		return s.marks.failed
	}
	if s.c.broken("stmt/no-stale-args") {
		for i := range args {
			if args[i].Value == nil && i < len(s.marks.args) {
				args[i].Value = s.marks.args[i]
			}
		}
		s.marks.args = nil
		for _, a := range args {
			s.marks.args = append(s.marks.args, a.Value)
		}
	}
	return nil
}

// late is what closing does when something else is closed already.
func (s *stmt) late() error {
	if tx := s.marks.tx; tx != nil && tx.ended && s.c.broken("stmt/close-after-tx-end") {
		s.c.lost = true
	}
	select {
	case <-s.c.closing:
		if !s.marks.used && s.c.broken("stmt/close-after-conn-close") {
			panic("reference: the statement's memory was freed")
		}
	default:
	}
	return nil
}

// adopt tells rows whose they are.
func (s *stmt) adopt(r *rows) {
	r.parent = s
	if s.c.broken("stmt/schema-change") {
		if s.marks.names == nil {
			s.marks.names = r.names
		}
		r.names = s.marks.names
	}
}

// disturbed returns the error of a statement that comes after something that
// ought not to matter.
func (c *conn) disturbed(s *script) error {
	m := &c.marks.data
	unread, empty := m.unread, m.empty
	m.unread, m.empty = false, len(s.statements) == 0 && c.broken("stmt/empty-or-comment")
	if unread || empty {
		return fault("HY000", "the connection is still busy with the last statement")
	}
	return nil
}

// open is what a query does to other rows of its connection.
func (r *rows) open() {
	m := &r.c.marks.data
	if r.c.broken("rows/interleaved") && m.current != nil && m.current.left() >= 50 && r.left() >= 50 {
		m.current.at = m.current.sets[0].count
	}
	if r.c.broken("rows/close-other-goroutine") {
		r.marks.goroutine = goroutine()
	}
	m.current = r
}

// left is how many rows of the current set are unread.
func (r *rows) left() int64 { return r.sets[0].count - r.at }

// goroutine returns the number of the calling goroutine.
func goroutine() string {
	text := make([]byte, 40)
	return strings.Fields(string(text[:runtime.Stack(text, false)]))[1]
}

// shut is what closing does besides.
func (r *rows) shut() error {
	m := &r.c.marks.data
	switch {
	case r.marks.goroutine != "" && r.marks.goroutine != goroutine():
		return fault("HY000", "the rows belong to another thread")
	case r.closed && m.current != r && r.c.broken("rows/close-twice"):
		m.current.closed = true
	case !r.closed && r.at == 0 && r.left() >= 100 && r.c.broken("rows/close-early"):
		m.unread = true
	}
	if r.c.broken("rows/bytes-survive-close") {
		r.scribble()
	}
	return nil
}

// scribble writes over the bytes that the caller was given.
func (r *rows) scribble() {
	for _, b := range r.marks.given {
		clear(b)
	}
}

// spoil changes a value on its way to the caller.
func (r *rows) spoil(i int, v driver.Value) driver.Value {
	if n, ok := v.(int64); ok && r.column(i).notNull && r.c.broken("rows/value-types") {
		return int32(n)
	}
	b, ok := v.([]byte)
	if !ok || len(b) == 0 {
		return v
	}
	if r.c.broken("rows/bytes-two-cursors") {
		m := &r.c.marks.data
		m.scratch = append(m.scratch, b...)
		b = m.scratch[len(m.scratch)-len(b) : len(m.scratch) : len(m.scratch)]
	}
	r.marks.given = append(r.marks.given, b)
	return b
}

// distort changes a value on its way into the database.
func (c *conn) distort(col column, v driver.Value) driver.Value {
	switch v := v.(type) {
	case nil:
		if col.kind == kindBool && c.broken("value/null-each-type") {
			return false
		}
	case int64:
		if c.broken("value/int64-extremes") {
			return int64(float64(v))
		}
	case float64:
		switch {
		case math.Abs(v) < 0x1p-1022 && v != 0 && c.broken("value/float64"):
			return 0.0
		case math.IsNaN(v) && c.broken("value/float64-special"):
			return nil
		}
	case bool:
		if !v && c.broken("value/bool") {
			return nil
		}
	case string:
		switch {
		case c.broken("value/string-nul"):
			v, _, _ = strings.Cut(v, "\x00")
			return v
		case v == "" && c.broken("value/empty-string-vs-null"):
			return nil
		}
	case []byte:
		switch {
		case v != nil && c.broken("value/bytes-all-256"):
			return []byte(strings.ToValidUTF8(string(v), "?"))
		case len(v) > math.MaxUint16 && c.broken("value/blob-1mib"):
			return v[:math.MaxUint16]
		}
	case time.Time:
		return c.distortTime(v)
	}
	return v
}

func (c *conn) distortTime(t time.Time) time.Time {
	switch {
	case t.Location() == time.UTC && t.Month() == time.July && c.broken("value/time-utc"):
		return t.Add(time.Hour)
	case t.Location() != time.UTC && t.Location() != time.Local && c.broken("value/time-location"):
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	case c.broken("value/time-subsecond"):
		return t.Truncate(time.Millisecond)
	case t.Year() < 1970 && c.broken("value/time-range"):
		return time.Unix(0, 0)
	}
	return t
}

// misread is what some mutants take an argument for; ok is false for the
// others.
func (c *conn) misread(v driver.Value) (out driver.Value, ok bool, err error) {
	if n, is := v.(complex128); is && c.broken("args/unsupported") {
		return fmt.Sprint(n), true, nil
	}
	valuer, is := v.(driver.Valuer)
	switch {
	case !is:
	case c.broken("args/nil-ptr-valuer"):
		out, err = valuer.Value()
		return out, true, err
	case reflect.TypeOf(v).Kind() == reflect.String && c.broken("args/valuer"):
		return reflect.ValueOf(v).String(), true, nil
	}
	return nil, false, nil
}

// blur changes the result of an execution.
func (c *conn) blur(s *script, res *result) *result {
	byID := func(b binding) bool { return b.name == "id" }
	if res.inserted && !slices.ContainsFunc(s.statements[0].set, byID) && c.broken("result/last-insert-id") {
		res.last--
	}
	res.freed = s.is("create", false) && c.broken("result/never-panics")
	if !c.broken("result/snapshot") {
		return res
	}
	if c.marks.data.result == nil {
		c.marks.data.result = res
	}
	*c.marks.data.result = *res
	return c.marks.data.result
}
