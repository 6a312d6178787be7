package sqlsuite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// finished are calls after which nothing of them goes on.
func (e *env) finished(c *conn, w way, table, series string) map[string]func(ctx context.Context) error {
	update := e.on(table, UpdateAll)
	return map[string]func(ctx context.Context) error{
		w.name + " " + update: func(ctx context.Context) error {
			_, err := w.exec(ctx, update, "late")
			return err
		},
		w.name + " " + series + " to the end": func(ctx context.Context) error {
			cur, err := w.query(ctx, series)
			if err != nil {
				return err
			}
			defer cur.Close()
			_, err = cur.rest()
			return err
		},
		w.name + " " + series + ", closed after a row": func(ctx context.Context) error {
			return firstRow(ctx, w, series)
		},
		"BeginTx and Rollback": func(ctx context.Context) error {
			tx, err := c.begin(ctx, driver.TxOptions{})
			if err != nil {
				return err
			}
			return tx.Rollback()
		},
		"Ping": func(ctx context.Context) error {
			if p, ok := c.Conn.(driver.Pinger); ok {
				return p.Ping(ctx)
			}
			return nil
		},
	}
}

// ctxLateCancel cancels right after the call has returned, so that a watcher
// that is still there has the whole next statement to do its harm in.
func ctxLateCancel(e *env) {
	const n = 300
	table, series := e.kv(1), e.rows(n, Series)
	e.eachWay(func(c *conn, w way) {
		for what, call := range e.finished(c, w, table, series) {
			for range 5 {
				ctx, cancel := e.cancellable()
				e.Setup(call(ctx), "do: %s", what)
				cancel()
				rows, err := c.all(e.ctx(), series)
				if err != nil || len(rows) != n {
					e.Fatalf("%q after %s, whose context ended when it had returned: wanted %d rows, found %d, error %v", series, what, n, len(rows), err)
				}
			}
		}
	})
	e.eachWay(func(c *conn, w way) { e.raceCancel(c, w.name, table, series, n) })
}

// raceCancel cancels at some time between the beginning of the call and its
// end. The call may succeed or fail, and the pool may discard the connection
// after either; if it does not, the call after it must not notice.
func (e *env) raceCancel(c *conn, name, table, series string, n int) {
	var took time.Duration // by the second of two calls that are left alone
	update := e.on(table, UpdateAll)
	for round := range 32 {
		for _, w := range c.ways() {
			if w.name != name {
				continue
			}
			if round < 2 {
				start := time.Now()
				_, err := w.exec(e.ctx(), update, "alone")
				e.Setup(err, "execute %q", update)
				took = max(time.Since(start), 1)
				break
			}
			ctx, cancel := e.cancellable()
			time.AfterFunc(rand.N(took), cancel)
			_, err := w.exec(ctx, update, "race")
			if !c.kept(err) {
				c.Close()
				c = e.conn()
				break
			}
			rows, err := c.all(e.ctx(), series)
			if err != nil || len(rows) != n {
				e.Fatalf("%q after a %s statement whose context ended as it returned: wanted %d rows, found %d, error %v", series, name, n, len(rows), err)
			}
		}
	}
}

// kept tells whether the pool keeps the connection after a call that returned
// err, and prepares it for its next user.
func (c *conn) kept(err error) bool {
	return !errors.Is(err, driver.ErrBadConn) && c.reset(c.e.ctx())
}

// ctxBeginCancel looks for the transaction with a statement that commits
// itself, unless there is one.
func ctxBeginCancel(e *env) {
	table := e.kv(0)
	insert := e.on(table, InsertKV)
	c := e.conn()
	for id := 1; id <= 20; id++ {
		ctx, cancel := e.cancellable()
		if id%4 == 0 {
			cancel()
		} else {
			go cancel()
		}
		tx, err := c.begin(ctx, driver.TxOptions{})
		if err == nil && tx.Rollback() == nil {
			continue
		}
		if err == nil || !c.kept(err) {
			c.Close()
			c = e.conn()
			continue
		}
		began := err
		if _, err := c.exec(e.ctx(), insert, id, "after"); err != nil {
			e.Fatalf("%q after BeginTx returned %q: wanted no error, found %v", insert, began, err)
		}
		if _, ok := e.stored(table, id); !ok {
			e.Fatalf("%q after BeginTx returned %q: another connection does not see the row: the transaction is open", insert, began)
		}
	}
}

// ctxReuseAfterCancel does by hand what the pool does, and then lets the pool
// do it.
func ctxReuseAfterCancel(e *env) {
	table := e.kv(0)
	cancelled := map[string]func(c *conn) error{}
	if e.has(SlowQuery) && e.heeds(false) {
		text := e.sql(SlowQuery)
		cancelled[text] = func(c *conn) error { return firstRow(e.cancelSoon(), way{query: c.query}, text) }
	}
	if e.has(SlowExec) && e.heeds(true) {
		text := e.on(table, SlowExec)
		cancelled[text] = func(c *conn) error { _, err := c.exec(e.cancelSoon(), text); return err }
	}
	if len(cancelled) == 0 {
		e.Unsupported("the dialect %s has no statement that takes long and of which the driver knows the context", e.dialect.name)
	}
	insert, id := e.on(table, InsertKV), 100
	for text, call := range cancelled {
		c := e.conn()
		for range 3 {
			var err error
			e.Prompt("the cancelled "+text, func() { err = call(c) })
			if err == nil || !c.kept(err) {
				break
			}
			id++
			if _, err := c.exec(e.ctx(), insert, id, "after"); err != nil {
				e.Fatalf("%q after the cancelled %q, on a connection that the pool would keep: wanted no error, found %v", insert, text, err)
			}
			if _, ok := e.stored(table, id); !ok {
				e.Fatalf("%q after the cancelled %q: another connection does not see the row", insert, text)
			}
		}
	}
	e.reusePool()
}

func (e *env) reusePool() {
	if !e.has(SlowQuery) || !e.heeds(false) {
		return
	}
	slow, one := e.sql(SlowQuery), e.sql(SelectOne)
	db := e.db(1)
	e.Setup(db.PingContext(e.ctx()), "connect")
	for range 3 {
		ctx := e.cancelSoon()
		e.Prompt("the cancelled "+slow, func() {
			var v any
			_ = db.QueryRowContext(ctx, slow).Scan(&v)
		})
		var v any
		if err := db.QueryRowContext(e.ctx(), one).Scan(&v); err != nil {
			e.Fatalf("%q on a pool of one connection, after the cancelled %q: wanted no error, found %v", one, slow, err)
		}
	}
}

// ctxPrepareNotStored gives a watcher some time to do its harm.
func ctxPrepareNotStored(e *env) {
	c, series := e.conn(), e.rows(3, Series)
	if _, ok := c.Conn.(driver.ConnPrepareContext); !ok {
		e.Unsupported("the connection has no PrepareContext")
	}
	ctx, cancel := e.cancellable()
	st, err := c.prepare(ctx, series)
	e.Setup(err, "prepare %q", series)
	cancel()
	for range 5 {
		cur, err := st.query(e.ctx())
		var n int
		if err == nil {
			rows, restErr := cur.rest()
			n, err = len(rows), restErr
			cur.Close()
		}
		if err != nil || n != 3 {
			e.Fatalf("prepared %q, after the context of PrepareContext ended: wanted 3 rows, found %d, error %v", series, n, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// ctxSiblingCursor needs two open cursors; what a driver does with them
// otherwise is not its business.
func ctxSiblingCursor(e *env) {
	const n = 500
	text := e.rows(n, Series)
	c := e.conn()
	ctx, cancel := e.cancellable()
	first, err := c.query(ctx, text)
	e.Setup(err, "query %q", text)
	_, err = first.next()
	e.Setup(err, "read a row of %q", text)
	second, err := c.query(e.ctx(), text)
	if err != nil {
		e.Unsupported("the connection does not allow two open Rows: %v", err)
	}
	if _, err := second.next(); err != nil {
		e.Unsupported("the connection does not allow two open Rows: %v", err)
	}
	cancel()
	for row := 1; ; row++ {
		if row < 8 {
			time.Sleep(time.Millisecond) // for the cancellation to arrive
		}
		_, err := second.next()
		if err == io.EOF && row == n {
			break
		}
		if err != nil {
			e.Fatalf("%q, beside another %q whose context ended: wanted %d rows, found %d and then %v", text, text, n, row, err)
		}
	}
	if err := second.Close(); err != nil {
		e.Errorf("closing the Rows beside those whose context ended: wanted no error, found %v", err)
	}
}

// ctxWatcherFreed makes all its calls with one context, which lives until the
// check ends.
func ctxWatcherFreed(e *env) {
	table, series := e.kv(1), e.rows(3, Series)
	c, bad := e.conn(), e.on(e.name(), SelectAll)
	ctx, _ := e.cancellable()
	e.noLeak("goroutines, with a context that lives on", goroutines, func() {
		for _, w := range c.ways() {
			for what, call := range e.finished(c, w, table, series) {
				if err := call(ctx); err != nil {
					e.Setup(fmt.Errorf("%s: %w", what, err), "make a call")
				}
			}
			if err := firstRow(ctx, w, bad); err == nil || err == io.EOF {
				e.Setup(errors.New("there was no error"), "make %q fail", bad)
			}
		}
	})
}
