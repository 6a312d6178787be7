package sqlsuite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/keyway-go/keyway/conformance"
)

// ctxChecks are about contexts that end. Those that cancel something which is
// going on are here, what comes after it is in ctx_after.go.
var ctxChecks = []check{
	{
		ID: "ctx/pre-cancelled", Level: conformance.Must,
		Rule:   "A statement or transaction whose context has ended before the call returns an error and does nothing.",
		Source: "database/sql: sql.Conn passes an ended context on to the driver, and ctxDriverExec, ctxDriverQuery and ctxDriverBegin refuse it for drivers without context methods",
		Run:    with(ctxPreCancelled),
	},
	{
		ID: "ctx/pre-cancelled-prepare", Level: conformance.Should, Gate: "ConnPrepareContext",
		Rule:   "PrepareContext returns an error if its context has ended before the call.",
		Source: "database/sql, ctxDriverPrepare, does so for drivers without ConnPrepareContext",
		Run:    with(ctxPreCancelledPrepare),
	},
	{
		ID: "ctx/cancel-during-exec", Level: conformance.Must, Gate: "ExecerContext or StmtExecContext",
		Rule:   "A statement that is being executed returns promptly, with an error, when its context ends.",
		Source: "database/sql/driver, ExecerContext and StmtExecContext: must honor the context timeout",
		Run:    with(ctxCancelDuringExec),
	},
	{
		ID: "ctx/cancel-during-query", Level: conformance.Must, Gate: "QueryerContext or StmtQueryContext",
		Rule:   "A query that has no row yet returns promptly, with an error, when its context ends.",
		Source: "database/sql/driver, QueryerContext and StmtQueryContext: must honor the context timeout",
		Run:    with(ctxCancelDuringQuery),
	},
	{
		ID: "ctx/cancel-during-next", Level: conformance.Must, Gate: "QueryerContext or StmtQueryContext",
		Rule:   "Rows.Next returns promptly, with an error, when the context of the query ends while the database works on the next row.",
		Source: "database/sql, Rows.close waits for a Next in flight, so Rows.Close and the end of a transaction hang with it",
		Run:    with(ctxCancelDuringNext),
	},
	{
		ID: "ctx/error-identity", Level: conformance.Should,
		Rule:   "The error of a call that its context ended is, by errors.Is, the context's error: context.Canceled or context.DeadlineExceeded.",
		Source: "package context; callers tell a cancelled call from a failed one by errors.Is",
		Run:    with(ctxErrorIdentity),
	},
	{
		ID: "ctx/not-eof", Level: conformance.Must,
		Rule:   "When the context of a query ends, Rows.Next never says io.EOF before the last row.",
		Source: "database/sql/driver, Rows.Next: io.EOF when there are no more rows; mattn/go-sqlite3#745",
		Run:    with(ctxNotEOF),
	},
	{
		ID: "ctx/late-cancel", Level: conformance.Must,
		Rule:   "Ending the context of a call that has returned does nothing to the calls after it.",
		Source: "mattn/go-sqlite3#488, lib/pq#577: an interrupt that came late hit the next statement of the connection",
		Run:    with(ctxLateCancel),
	},
	{
		ID: "ctx/begin-cancel", Level: conformance.Must,
		Rule:   "After BeginTx returned an error because its context ended, the connection is in no transaction, or the pool discards it.",
		Source: "database/sql, DB.beginDC puts the connection back into the pool; mattn/go-sqlite3#764",
		Run:    with(ctxBeginCancel),
	},
	{
		ID: "ctx/reuse-after-cancel", Level: conformance.Must,
		Rule:   "After a call that its context ended, the connection works, or IsValid or ResetSession say that it does not.",
		Source: "database/sql puts a connection back into the pool unless the error is driver.ErrBadConn",
		Run:    with(ctxReuseAfterCancel),
	},
	{
		ID: "ctx/prepare-not-stored", Level: conformance.Must, Gate: "ConnPrepareContext",
		Rule:   "A prepared statement works after the context of PrepareContext has ended.",
		Source: "database/sql/driver, ConnPrepareContext: must not store the context within the statement itself",
		Run:    with(ctxPrepareNotStored),
	},
	{
		ID: "ctx/sibling-cursor", Level: conformance.Should,
		Rule:   "Ending the context of one query leaves the rows of another, on the same connection, alone.",
		Source: "sql.Tx allows several open Rows, each with a context of its own; mattn/go-sqlite3#681",
		Run:    with(ctxSiblingCursor),
	},
	{
		ID: "ctx/watcher-freed", Level: conformance.Must,
		Rule:   "A call that has returned leaves no goroutine behind to watch its context, however long that lives.",
		Source: "lib/pq#617: goroutines that watched contexts stayed behind, one for each failed query",
		Run:    with(ctxWatcherFreed),
	},
}

// ended is a context that has ended.
func (e *env) ended() context.Context {
	ctx, cancel := e.cancellable()
	cancel()
	return ctx
}

// soon is how long it takes at most until a statement is going on, so that a
// context which ends then meets it there. It grows with Patience, which is for
// slow machines.
func (e *env) soon() time.Duration { return max(5*time.Millisecond, e.Patience()/100) }

// cancelSoon is a context that ends while a statement that takes minutes is
// going on.
func (e *env) cancelSoon() context.Context {
	ctx, cancel := e.cancellable()
	time.AfterFunc(e.soon(), cancel)
	return ctx
}

// timeoutSoon is cancelSoon by a deadline.
func (e *env) timeoutSoon() context.Context {
	ctx, cancel := context.WithTimeout(e.ctx(), e.soon())
	e.Cleanup(cancel)
	return ctx
}

// knowing calls f for each way in which the driver lets a statement know its
// context, on a new connection each. The check is unsupported if there is none.
func (e *env) knowing(exec bool, f func(c *conn, w way)) {
	some := false
	e.eachWay(func(c *conn, w way) {
		if c.knows(w, exec) {
			some = true
			f(c, w)
		}
	})
	if !some {
		e.Unsupported("the driver has no method that takes the context of a statement")
	}
}

// heeds tells whether the driver lets a statement that conn.exec executes, or
// that conn.query queries, know its context. Of another, database/sql looks at
// the context before the call and no more, so that it cannot be ended.
func (e *env) heeds(exec bool) bool {
	c := e.conn()
	return c.knows(c.ways()[0], exec)
}

// knows tells whether the driver's own method gets the context. A connection
// that has only one of the direct methods prepares what is for the other.
func (c *conn) knows(w way, exec bool) bool {
	var ok bool
	switch {
	case w.name == "direct" && exec && c.execer() != nil:
		_, ok = c.Conn.(driver.ExecerContext)
		return ok
	case w.name == "direct" && !exec && c.queryer() != nil:
		_, ok = c.Conn.(driver.QueryerContext)
		return ok
	}
	st, err := c.prepare(c.e.ctx(), c.e.sql(SelectOne))
	c.e.Setup(err, "prepare")
	defer st.Close()
	if exec {
		_, ok = st.Stmt.(driver.StmtExecContext)
	} else {
		_, ok = st.Stmt.(driver.StmtQueryContext)
	}
	return ok
}

// firstRow returns the error of a query, or else of its first row.
func firstRow(ctx context.Context, w way, text string, args ...any) error {
	cur, err := w.query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer cur.Close()
	_, err = cur.next()
	return err
}

// ctxPreCancelled prepares with a context that lives, so that executing is
// what meets the other.
func ctxPreCancelled(e *env) {
	table := e.kv(0)
	insert, one := e.on(table, InsertKV), e.sql(SelectOne)
	refused := func(what string, err error) {
		if err == nil || errors.Is(err, io.EOF) {
			e.Errorf("%s with a context that has ended: wanted an error, found %v", what, err)
		}
	}
	c, ctx := e.conn(), e.ended()
	if c.execer() != nil {
		_, err := c.exec(ctx, insert, 1, "direct")
		refused("ExecContext "+insert, err)
	}
	if c.queryer() != nil {
		refused("QueryContext "+one, firstRow(ctx, way{query: c.query}, one))
	}
	st, err := c.prepare(e.ctx(), insert)
	e.Setup(err, "prepare %q", insert)
	_, err = st.exec(ctx, 2, "prepared")
	refused("executing the prepared "+insert, err)
	e.Setup(st.Close(), "close the statement")
	st, err = c.prepare(e.ctx(), one)
	e.Setup(err, "prepare %q", one)
	query := func(ctx context.Context, _ string, args ...any) (*cursor, error) { return st.query(ctx, args...) }
	refused("querying the prepared "+one, firstRow(ctx, way{query: query}, one))

	e.preCancelledBegin(ctx)
	if n := e.count(table); n != 0 {
		e.Errorf("%q, each time with a context that had ended: wanted no row in the table, found %d", insert, n)
	}
}

// preCancelledBegin tries more than once: a driver that lets its context race
// with the call is not to get away with it.
func (e *env) preCancelledBegin(ctx context.Context) {
	for c, round := e.conn(), 0; round < 20; round++ {
		if tx, err := c.begin(ctx, driver.TxOptions{}); err == nil {
			e.Errorf("BeginTx with a context that has ended: wanted an error, found a transaction")
			e.Setup(tx.Rollback(), "roll back")
			return
		}
	}
}

func ctxPreCancelledPrepare(e *env) {
	c := e.conn()
	if _, ok := c.Conn.(driver.ConnPrepareContext); !ok {
		e.Unsupported("the connection has no PrepareContext")
	}
	if _, err := c.prepare(e.ended(), e.sql(SelectOne)); err == nil {
		e.Errorf("PrepareContext %q with a context that has ended: wanted an error, found none", e.sql(SelectOne))
	}
}

func ctxCancelDuringExec(e *env) {
	text := e.on(e.kv(0), SlowExec)
	e.knowing(true, func(_ *conn, w way) {
		ctx := e.cancelSoon()
		var err error
		e.Prompt("the cancelled "+w.name+" statement "+text, func() { _, err = w.exec(ctx, text) })
		if err == nil {
			e.Errorf("%s %q, cancelled: wanted an error, found none", w.name, text)
		}
	})
}

// ctxCancelDuringQuery lets a driver choose whether QueryContext or the first
// Next waits for the database.
func ctxCancelDuringQuery(e *env) {
	text := e.sql(SlowQuery)
	e.knowing(false, func(_ *conn, w way) {
		ctx := e.cancelSoon()
		var err error
		e.Prompt("the cancelled "+w.name+" query "+text, func() { err = firstRow(ctx, w, text) })
		if err == nil || err == io.EOF {
			e.Errorf("%s %q, cancelled: wanted an error, found %v", w.name, text, err)
		}
	})
}

// ctxCancelDuringNext cancels when all the rows that come at once have been
// read. A driver that reads everything before it returns from QueryContext is
// cancelled there.
func ctxCancelDuringNext(e *env) {
	const n = 3
	text := e.rows(n, SeriesThenWait)
	e.knowing(false, func(_ *conn, w way) {
		ctx, cancel := e.cancellable()
		time.AfterFunc(e.Patience()/4, cancel)
		var cur *cursor
		var err error
		what := fmt.Sprintf("the call of Next in which the context of the %s query %s ended, after %d rows,", w.name, text, n)
		e.Prompt(what, func() {
			for row := range n + 1 {
				if row == 0 {
					cur, err = w.query(ctx, text)
				}
				if row == n {
					time.AfterFunc(e.soon(), cancel)
				}
				if err == nil {
					_, err = cur.next()
				}
			}
		})
		if err == nil || err == io.EOF {
			e.Errorf("%s %q, cancelled after %d rows: wanted an error of Next, found %v", w.name, text, n, err)
		}
		if cur != nil {
			e.Prompt("Rows.Close after the cancelled Next", func() { cur.Close() })
		}
	})
}

// ctxErrorIdentity says nothing of a call that did not notice: that is the
// business of other checks.
func ctxErrorIdentity(e *env) {
	table := e.kv(0)
	calls := map[string]func(c *conn, ctx context.Context) error{
		e.sql(SelectOne): func(c *conn, ctx context.Context) error {
			<-ctx.Done()
			return firstRow(ctx, way{query: c.query}, e.sql(SelectOne))
		},
	}
	if e.has(SlowQuery) && e.heeds(false) {
		text := e.sql(SlowQuery)
		calls[text] = func(c *conn, ctx context.Context) error { return firstRow(ctx, way{query: c.query}, text) }
	}
	if e.has(SlowExec) && e.heeds(true) {
		text := e.on(table, SlowExec)
		calls[text] = func(c *conn, ctx context.Context) error { _, err := c.exec(ctx, text); return err }
	}
	for text, call := range calls {
		for _, ending := range []func() context.Context{e.cancelSoon, e.timeoutSoon} {
			c, ctx := e.conn(), ending()
			var err error
			e.Prompt(text, func() { err = call(c, ctx) })
			if err != nil && err != io.EOF && !errors.Is(err, ctx.Err()) {
				e.Errorf("%q, whose context ended with %q: wanted an error that is that by errors.Is, found %T: %v", text, ctx.Err(), err, err)
			}
		}
	}
}

// ctxNotEOF ends the context between two calls of Next, and during one.
func ctxNotEOF(e *env) {
	const n = 500
	text := e.rows(n, Series)
	e.eachWay(func(c *conn, w way) {
		for round := range 10 {
			ctx, cancel := e.cancellable()
			cur, err := w.query(ctx, text)
			e.Setup(err, "query %q", text)
			for range 2 {
				_, err := cur.next()
				e.Setup(err, "read a row of %q", text)
			}
			if round%2 == 0 {
				cancel()
			} else {
				go cancel()
			}
			rows, err := cur.rest()
			if err == nil && len(rows) != n-2 {
				e.Errorf("%s %q, cancelled after 2 rows: wanted an error or %d more rows, found io.EOF after %d", w.name, text, n-2, len(rows))
			}
			if !c.kept(cur.Close()) {
				return
			}
		}
	})
}
