package sqlsuite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/keyway-go/keyway/conformance"
)

// resetChecks are about driver.SessionResetter.
var resetChecks = []check{
	{
		ID: "reset/after-tx", Level: conformance.Must, Gate: "SessionResetter",
		Rule:   "When a connection comes back from the pool, a transaction that was begun by SQL and left open is rolled back, or the connection is discarded.",
		Source: "database/sql/driver, SessionResetter: to reset the session state; jackc/pgx#2481",
		Run:    with(resetAfterTx),
	},
	{
		ID: "reset/clears-session", Level: conformance.Should, Gate: "SessionResetter",
		Rule:   "When a connection comes back from the pool, session variables and temporary tables of its last user are gone, or the connection is discarded.",
		Source: "database/sql/driver, SessionResetter: to reset the session state; go-sql-driver/mysql#1273",
		Run:    with(resetClearsSession),
	},
	{
		ID: "reset/error-is-badconn", Level: conformance.Must, Gate: "SessionResetter",
		Rule:   "ResetSession returns nil or driver.ErrBadConn; if it cannot reset, because its context has ended or the connection is lost, that is driver.ErrBadConn.",
		Source: "database/sql, DB.conn discards the connection for driver.ErrBadConn and uses it after any other error",
		Run:    with(resetErrorIsBadConn),
	},
}

// resetter returns the connection's ResetSession; the check is unsupported if
// there is none.
func (c *conn) resetter() func(context.Context) error {
	r, ok := c.Conn.(driver.SessionResetter)
	if !ok {
		c.e.Unsupported("the connection has no ResetSession")
	}
	return r.ResetSession
}

// first returns the connection of a pool of one for use by hand.
func (e *env) first(db *sql.DB) *sql.Conn {
	c, err := db.Conn(e.ctx())
	e.Setup(err, "connect")
	return c
}

// resetAfterTx leaves a transaction open of which database/sql knows nothing.
func resetAfterTx(e *env) {
	e.conn().resetter()
	table := e.kv(0)
	begin, insert := e.sql(BeginSQL), e.on(table, InsertKV)
	db := e.db(1)
	c := e.first(db)
	_, err := c.ExecContext(e.ctx(), begin)
	e.Setup(err, "execute %q", begin)
	_, err = c.ExecContext(e.ctx(), insert, 1, "left open")
	e.Setup(err, "execute %q", insert)
	e.Setup(c.Close(), "return the connection to the pool")

	if _, err := db.ExecContext(e.ctx(), insert, 2, "next user"); err != nil {
		e.Fatalf("%q by the next user of the pool, after %q was left open: wanted no error, found %v", insert, begin, err)
	}
	e.wantKV("a transaction was left open, and the next user of the pool inserted row 2", table, map[int]string{1: "", 2: "next user"})
}

func resetClearsSession(e *env) {
	e.conn().resetter()
	name := e.name()
	set, get := e.on(name, SetSession), e.on(name, GetSession)
	db := e.db(1)
	c := e.first(db)
	_, err := c.ExecContext(e.ctx(), set)
	e.Setup(err, "execute %q", set)
	if !e.finds(c, get) {
		e.Setup(errors.New("it returned no row"), "query %q right after %q", get, set)
	}
	e.Setup(c.Close(), "return the connection to the pool")

	c = e.first(db)
	if e.finds(c, get) {
		e.Errorf("%q by the next user of the pool, after %q: wanted no row, found one", get, set)
	}
	e.Setup(c.Close(), "return the connection to the pool")
}

// finds tells whether a query returns a row; an error is none.
func (e *env) finds(c *sql.Conn, text string) bool {
	rows, err := c.QueryContext(e.ctx(), text)
	if err != nil {
		return false
	}
	defer rows.Close()
	return rows.Next()
}

// resetErrorIsBadConn has two reasons not to reset; one of them needs a
// database that can end a connection.
func resetErrorIsBadConn(e *env) {
	c := e.conn()
	reset := c.resetter()
	judge := func(when string, err error) {
		if err != nil && !errors.Is(err, driver.ErrBadConn) {
			e.Errorf("ResetSession %s: wanted nil or driver.ErrBadConn, found %T: %v", when, err, err)
		}
	}
	judge("of a connection in order", reset(e.ctx()))
	judge("with a context that has ended", reset(e.ended()))
	if e.has(KillSelf) {
		lost := e.conn()
		_, err := lost.exec(e.ctx(), e.sql(KillSelf))
		e.Logf("%q: %v", e.sql(KillSelf), err)
		judge("of a connection that the database has ended", lost.resetter()(e.ctx()))
	}
}
