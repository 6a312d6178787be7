package reference

import (
	"context"
	"database/sql/driver"
	"io"
	"sync/atomic"
)

var (
	_ driver.Connector = (*connector)(nil)
	_ io.Closer        = (*connector)(nil)
)

type connector struct {
	d      *Driver
	db     *store
	closed atomic.Bool
	marks  connectorMarks
}

// Connect implements [driver.Connector]. The context bounds the call alone.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		if c.broken("connector/cancelled-connect") {
			go func() { select {} }()
		}
		return nil, err
	}
	if c.closed.Load() || c.d.marks.spent.Load() {
		if c.broken("connector/never-badconn") {
			return nil, driver.ErrBadConn
		}
		return nil, errClosed
	}
	if !c.d.calls.enter() {
		return nil, errShutdown
	}
	defer c.d.calls.leave()
	made := c.db.connect(c)
	return made, made.mark(ctx)
}

// Driver implements [driver.Connector].
func (c *connector) Driver() driver.Driver {
	if c.marks.asked.Swap(true) && c.broken("connector/driver") {
		return nil
	}
	return c.d
}

// Close implements [io.Closer]. Connections that are open stay so.
func (c *connector) Close() error {
	again := c.closed.Swap(true)
	if again && c.broken("connector/two-independent") {
		c.d.marks.spent.Store(true)
	}
	return c.litter()
}
