package sqlsuite

import (
	"database/sql/driver"
	"fmt"
	"io"
	"runtime"
)

// rowsCloseOtherGoroutine does each call in a goroutine with a thread of its
// own, so that no two can be on the same.
func rowsCloseOtherGoroutine(e *env) {
	e.eachWay(func(c *conn, w way) {
		for _, read := range []int{1, 3} {
			text := e.rows(3, Series)
			cur, err := w.query(e.ctx(), text)
			e.Setup(err, "query %q", text)
			for n := 1; n <= read; n++ {
				elsewhere(func() {
					row, err := cur.next()
					e.wantRows(fmt.Sprintf("%s %q, row %d read by another goroutine", w.name, text, n), [][]driver.Value{row}, err, series(n, n)...)
				})
			}
			elsewhere(func() {
				if err := cur.Close(); err != nil {
					e.Errorf("%s %q: Close by another goroutine: wanted no error, found %v", w.name, text, err)
				}
			})
			e.works(c, "after another goroutine closed its rows")
		}
	})
}

// elsewhere calls f on another thread, which ends with it.
func elsewhere(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		f()
	}()
	<-done
}

func rowsCloseEarly(e *env) {
	table := e.kv(3)
	e.eachWay(func(c *conn, w way) {
		for read := range 3 {
			text := e.rows(500, Series)
			cur, err := w.query(e.ctx(), text)
			e.Setup(err, "query %q", text)
			for range read {
				_, err := cur.next()
				e.Setup(err, "read a row")
			}
			when := fmt.Sprintf("after %s %q was closed with %d of 500 rows read", w.name, text, read)
			if err := cur.Close(); err != nil {
				e.Errorf("Close %s: wanted no error, found %v", when, err)
			}
			if rows, err := c.all(e.ctx(), e.on(table, SelectKV), 2); len(rows) != 1 || err != nil || plain(rows[0][0]) != "2" {
				e.Errorf("selecting one row %s: wanted the row 2, found %s and %s", when, listed(lines(rows)), told(err))
			}
			update := e.on(table, UpdateAll)
			if _, err := c.exec(e.ctx(), update, when); err != nil {
				e.Errorf("%q %s: wanted no error, found %v", update, when, err)
			} else if v, _ := e.stored(table, 1); v.String != when {
				e.Errorf("%q %s: wanted it committed, found %q", update, when, v.String)
			}
		}
	})
}

func rowsCloseTwice(e *env) {
	table := e.kv(3)
	text := e.on(table, SelectAll)
	e.eachWay(func(c *conn, w way) {
		cur, err := w.query(e.ctx(), text)
		e.Setup(err, "query %q", text)
		_, err = cur.next()
		e.Setup(err, "read a row")
		raw := cur.Rows
		e.Setup(cur.Close(), "close the rows of %q", text)
		other, err := w.query(e.ctx(), text)
		e.Setup(err, "query %q again", text)
		_, err = other.next()
		e.Setup(err, "read a row")
		e.promptly("the second Close", raw.Close)
		e.promptly("reading other rows after the second Close", func() error {
			rows, err := other.rest()
			e.wantRows(fmt.Sprintf("%s %q, the rows after the first, when other rows were closed for the second time", w.name, text), rows, err, "2|row-2", "3|row-3")
			return other.Close()
		})
		e.works(c, "after rows were closed twice")
	})
}

// rowsInterleaved writes as well, for that is what a user does with the rows
// of a transaction.
func rowsInterleaved(e *env) {
	table := e.kv(1)
	text, update := e.rows(100, Series), e.on(table, UpdateAll)
	e.eachWay(func(c *conn, w way) {
		var cursors []*cursor
		for range 2 {
			cur, err := w.query(e.ctx(), text)
			if err != nil && len(cursors) == 1 {
				e.Logf("no second query while rows are open: %v", err)
				break
			}
			e.Setup(err, "query %q", text)
			cursors = append(cursors, cur)
		}
		got, ends := make([][][]driver.Value, 2), make([]error, 2)
		for n := 0; n <= 100; n++ {
			for i, cur := range cursors {
				if ends[i] != nil {
					continue
				}
				ends[i] = e.promptly("Next of rows that are read in turn, or beside which a query was refused", func() error {
					row, err := cur.next()
					if err == nil {
						got[i] = append(got[i], row)
					}
					return err
				})
			}
			if n == 50 {
				if _, err := c.exec(e.ctx(), update, w.name); err != nil {
					e.Logf("%q while rows are open: %v", update, err)
				}
			}
		}
		for i, cur := range cursors {
			if ends[i] == io.EOF {
				ends[i] = nil
			}
			what := fmt.Sprintf("%s %q, the %s of %d rows read in turn", w.name, text, []string{"first", "second"}[i], len(cursors))
			e.wantPrefix(what, got[i], ends[i], series(1, 100)...)
			e.promptly("closing rows that were read in turn", cur.Close)
		}
		if c.reset(e.ctx()) {
			e.works(c, "after rows were read in turn")
		}
	})
}
