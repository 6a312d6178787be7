package sqlsuite

import (
	"context"
	"database/sql/driver"

	"github.com/keyway-go/keyway/conformance"
)

// pingChecks are about driver.Pinger.
var pingChecks = []check{
	{
		ID: "ping/live", Level: conformance.Must, Gate: "Pinger",
		Rule:   "Ping returns nil on a connection that works: a new one, one in a transaction, one on which a statement failed.",
		Source: "database/sql/driver, Pinger; database/sql discards the connection if it returns driver.ErrBadConn",
		Run:    with(pingLive),
	},
	{
		ID: "ping/ctx", Level: conformance.Should, Gate: "Pinger",
		Rule:   "Ping returns promptly, with an error, if its context has ended.",
		Source: "database/sql: only sql.Conn.PingContext passes on a context that has ended, DB.PingContext returns its error before; driver.Pinger says nothing of it",
		Run:    with(pingCtx),
	},
}

// pinger returns the connection's Ping; the check is unsupported if there is
// none.
func (c *conn) pinger() func(context.Context) error {
	p, ok := c.Conn.(driver.Pinger)
	if !ok {
		c.e.Unsupported("the connection has no Ping")
	}
	return p.Ping
}

func pingLive(e *env) {
	c := e.conn()
	ping := c.pinger()
	live := func(when string) {
		if err := ping(e.ctx()); err != nil {
			e.Errorf("Ping %s: wanted no error, found %v", when, err)
		}
	}
	live("on a new connection")
	table := e.kv(1)
	for _, bad := range e.badStatements(table) {
		if _, err := c.exec(e.ctx(), bad.text, bad.args...); err == nil {
			e.Fatalf("%q: wanted an error, found none", bad.text)
		}
		live("after a statement failed")
	}
	tx := c.began(driver.TxOptions{})
	live("in a transaction")
	e.Setup(tx.Rollback(), "roll back")
	live("after a transaction")
}

func pingCtx(e *env) {
	c := e.conn()
	ping := c.pinger()
	var err error
	e.Prompt("Ping with a context that has ended", func() { err = ping(e.ended()) })
	if err == nil {
		e.Errorf("Ping with a context that has ended: wanted an error, found none")
	}
}
