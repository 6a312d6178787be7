package sqlsuite

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"io"
	"runtime"
)

// held is a row as Next gave it, with a copy of its bytes.
type held struct {
	what  string
	names []string
	dest  []driver.Value
	were  [][]byte
}

// hold reads a row and keeps the driver's own bytes. It returns nil, with the
// error, if there is no row.
func (c *cursor) hold(what string) (*held, error) {
	h := &held{what: what, names: append([]string{}, c.Columns()...)}
	h.dest = make([]driver.Value, len(h.names))
	if err := c.Next(h.dest); err != nil {
		return nil, err
	}
	for _, v := range h.dest {
		b, _ := v.([]byte)
		h.were = append(h.were, bytes.Clone(b))
	}
	return h, nil
}

// intact reports an error if the bytes are not what they were.
func (h *held) intact(e *env, when string) {
	for i, v := range h.dest {
		if b, ok := v.([]byte); ok && !bytes.Equal(b, h.were[i]) {
			e.Errorf("%s: the bytes of column %s %s: wanted %.40q, found %.40q", h.what, h.names[i], when, h.were[i], b)
		}
	}
}

// inBytes queries a Series, whose column x is bytes; many drivers give s as
// bytes too.
func (e *env) inBytes(w way, n int) *cursor {
	text := e.rows(n, Series)
	cur, err := w.query(e.ctx(), text)
	e.Setup(err, "query %q", text)
	return cur
}

func rowsBytesValidToNext(e *env) {
	e.eachWay(func(c *conn, w way) {
		cur := e.inBytes(w, 3)
		for n := 1; n <= 3; n++ {
			h, err := cur.hold(w.name + " " + cur.text)
			e.Setup(err, "read a row")
			want := fmt.Sprintf("row-%d", n)
			if s, x := plain(h.dest[1]), plain(h.dest[2]); s != want || x != want {
				e.Errorf("%s: row %d: wanted %q twice, found %q and %q", h.what, n, want, s, x)
			}
			asks := []struct {
				what string
				ask  func()
			}{
				{"after Columns", func() { cur.Columns() }},
				{"after a garbage collection", runtime.GC},
				{"after HasNextResultSet", func() {
					if sets, ok := cur.Rows.(driver.RowsNextResultSet); ok {
						sets.HasNextResultSet()
					}
				}},
				{"after asking for the types of the columns", func() { askTypes(cur.Rows, len(h.dest)) }},
			}
			if n > 1 {
				asks = asks[2:] // a collection takes a while
			}
			for _, a := range asks {
				a.ask()
				h.intact(e, a.what)
			}
		}
		e.Setup(cur.Close(), "close the rows")
	})
}

// rowsBytesSurviveClose leaves so many rows unread that a driver which reads on
// in Close, to get rid of them, comes round to the beginning of its buffer.
func rowsBytesSurviveClose(e *env) {
	e.eachWay(func(c *conn, w way) {
		for _, s := range []struct{ rows, read int }{{3, 1}, {3, 3}, {2000, 1}} {
			cur := e.inBytes(w, s.rows)
			var h *held
			for range s.read {
				var err error
				h, err = cur.hold(w.name + " " + cur.text)
				e.Setup(err, "read a row")
			}
			if err := cur.Close(); err != nil {
				e.Errorf("%s: Close: wanted no error, found %v", h.what, err)
			}
			h.intact(e, fmt.Sprintf("when the rows are closed after %d of %d", s.read, s.rows))
		}
	})
}

// quietly closes rows of a connection that may have suffered.
func (e *env) quietly(cur *cursor) {
	if err := cur.Close(); err != nil {
		e.Logf("closing the rows of %q: %v", cur.text, err)
	}
}

// rowsBytesTwoCursors has pairs of rows on one connection, if it allows that,
// and on two. That on one comes last, because a query that was refused may have
// cost the connection.
func rowsBytesTwoCursors(e *env) {
	e.eachWay(func(c *conn, w way) {
		e.besideOthers(w, e.conn().ways()[0], "another connection")
		e.besideOthers(w, w, "the same connection")
	})
}

// besideOthers looks at the bytes of a row while other rows are read.
func (e *env) besideOthers(w, second way, where string) {
	cur := e.inBytes(w, 5)
	defer e.quietly(cur)
	h, err := cur.hold(w.name + " " + cur.text)
	e.Setup(err, "read a row")
	other, err := second.query(e.ctx(), e.rows(200, Series))
	if err != nil {
		e.Logf("no second query on %s while rows are open: %v", where, err)
		return
	}
	for err == nil && !e.Failed() {
		_, err = other.next()
		h.intact(e, "when other rows, of "+where+", are read")
	}
	if err != nil && err != io.EOF {
		e.Logf("reading rows of %s: %v", where, err)
	}
	e.quietly(other)
	h.intact(e, "when other rows, of "+where+", are closed")
}
