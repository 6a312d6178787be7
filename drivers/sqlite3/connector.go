package sqlite3

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
)

var (
	_ driver.Connector = (*connector)(nil)
	_ io.Closer        = (*connector)(nil)
)

var errClosed = errors.New("sqlite3: the connector is closed")

// connector opens connections to one database.
type connector struct {
	driver *sqliteDriver
	target target

	mu     sync.Mutex  // protects following fields
	anchor driver.Conn // keeps a database in memory alive; nil before the first Connect, and for files
	closed bool
}

// Connect opens a connection. ctx is looked at only before: SQLite cannot be
// interrupted while it opens a database.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.hold(); err != nil {
		return nil, err
	}
	return c.driver.open(c.target.dsn)
}

// hold opens the anchor, an idle connection without which a database in memory
// would vanish with the last connection of the pool.
func (c *connector) hold() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	if c.target.anchor == "" || c.anchor != nil {
		return nil
	}
	ownLocks()
	anchor, err := c.driver.upstream.Open(c.target.anchor)
	if err != nil {
		return err
	}
	c.anchor = anchor
	return nil
}

// Driver returns the driver that made the connector.
func (c *connector) Driver() driver.Driver { return c.driver }

// Close lets go of a database in memory, which is freed with its last
// connection. Connect fails from then on; open connections go on working. A
// second Close does nothing.
func (c *connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.anchor == nil {
		return nil
	}
	anchor := c.anchor
	c.anchor = nil
	return anchor.Close()
}
