package sqlsuite

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/keyway-go/keyway/conformance"
)

// badconnChecks are about driver.ErrBadConn: when database/sql may do a call
// again on another connection.
var badconnChecks = []check{
	{
		ID: "badconn/not-after-side-effects", Level: conformance.Must,
		Rule:   "A statement that the database may have executed never returns driver.ErrBadConn, wrapped or not.",
		Source: "database/sql/driver, ErrBadConn: not if the server might have performed the operation; DB.retry calls up to three times",
		Run:    with(badconnNotAfterSideEffects),
	},
	{
		ID: "badconn/not-on-sql-error", Level: conformance.Must,
		Rule:   "A statement that the database refused returns the database's error, never driver.ErrBadConn.",
		Source: "database/sql/driver, ErrBadConn: not even if the server sends back an error; DB.retry calls up to three times",
		Run:    with(badconnNotOnSQLError),
	},
	{
		ID: "badconn/not-on-cancel", Level: conformance.Must,
		Rule:   "A statement that its context ended never returns driver.ErrBadConn, wrapped or not.",
		Source: "database/sql/driver, ErrBadConn: not if the server might have performed the operation; DB.retry looks for it by errors.Is",
		Run:    with(badconnNotOnCancel),
	},
}

// notBad reports an error if err makes database/sql try again. errors.Is is
// what database/sql uses.
func (e *env) notBad(what string, err error) {
	if errors.Is(err, driver.ErrBadConn) {
		e.Errorf("%s: wanted an error that is not driver.ErrBadConn, found %T: %v", what, err, err)
	}
}

// badconnNotAfterSideEffects makes the connection end when the statement's work
// is done and before its outcome has arrived.
func badconnNotAfterSideEffects(e *env) {
	table := e.kv(0)
	for id, args := range []string{"1", "2"} {
		text := e.sql(InsertThenKill, "table", table, "n", args)
		c := e.conn()
		w := c.ways()[id%len(c.ways())]
		_, err := w.exec(e.ctx(), text)
		e.notBad(w.name+" "+text, err)
		if err == nil {
			e.Logf("%q: the connection ended, and yet there was no error", text)
		}
	}
	if n := e.count(table); n != 2 {
		e.Setup(errors.New("the statement did not do its work before the connection ended"), "have %d rows in the table", 2)
	}
}

// badconnNotOnSQLError asks each call that the database may refuse.
func badconnNotOnSQLError(e *env) {
	table := e.kv(1)
	c := e.conn()
	for _, w := range c.ways() {
		for _, bad := range e.badStatements(table) {
			_, err := w.exec(e.ctx(), bad.text, bad.args...)
			e.notBad("executing "+bad.text+", "+w.name, err)
			if bad.args == nil {
				e.notBad("querying "+bad.text+", "+w.name, firstRow(e.ctx(), w, bad.text))
			}
		}
	}
	if e.has(SeriesThenFail) {
		_, err := c.all(e.ctx(), e.rows(3, SeriesThenFail))
		e.notBad("reading rows of "+e.rows(3, SeriesThenFail), err)
	}
}

// badconnNotOnCancel leaves out what the driver cannot know to be cancelled.
func badconnNotOnCancel(e *env) {
	table := e.kv(0)
	type call struct {
		query Query
		exec  bool
		do    func(c *conn, ctx context.Context, text string) error
	}
	some := false
	for _, slow := range []call{
		{SlowQuery, false, func(c *conn, ctx context.Context, text string) error {
			return firstRow(ctx, way{query: c.query}, text)
		}},
		{SlowExec, true, func(c *conn, ctx context.Context, text string) error {
			_, err := c.exec(ctx, text)
			return err
		}},
	} {
		if !e.heeds(slow.exec) {
			continue
		}
		text := e.on(table, slow.query)
		some = true
		c := e.conn()
		var err error
		e.Prompt("the cancelled "+text, func() { err = slow.do(c, e.cancelSoon(), text) })
		e.notBad("the cancelled "+text, err)
	}
	if !some {
		e.Unsupported("the driver has no method that takes the context of a statement")
	}
}
