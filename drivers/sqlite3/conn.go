package sqlite3

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	upstream "github.com/mattn/go-sqlite3"
)

var (
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
)

var (
	errConnClosed = errors.New("sqlite3: the connection is closed")
	errStmtClosed = errors.New("sqlite3: the statement is closed")
	errTxEnded    = errors.New("sqlite3: the transaction has ended")
	errRowsClosed = errors.New("sqlite3: the rows are closed")
)

// conn is a connection of upstream, with all its other methods, that also
// keeps what database/sql/driver promises: it looks at a context first, refuses
// what transactions cannot do, leaves none to the next user, and ends its
// statements and rows when it is closed. Upstream would leave them, and with them
// the file and its locks.
type conn struct {
	*upstream.SQLiteConn
	children map[io.Closer]struct{} // open statements and rows
	tx       *tx                    // that was begun last and has not ended; or nil
	closed   bool
}

func newConn(c driver.Conn) *conn {
	return &conn{SQLiteConn: c.(*upstream.SQLiteConn), children: map[io.Closer]struct{}{}}
}

// usable tells why nothing can be done for a context.
func (c *conn) usable(ctx context.Context) error {
	if c.closed {
		return errConnClosed
	}
	return ctx.Err()
}

// Close ends open statements and rows, and then the connection. A second Close
// does nothing.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	for child := range c.children {
		_ = child.Close() // what they read does not matter any more
	}
	return c.SQLiteConn.Close()
}

// Ping looks whether the connection is open; SQLite has nothing to reach.
func (c *conn) Ping(ctx context.Context) error {
	if c.closed {
		return driver.ErrBadConn
	}
	return ctx.Err()
}

// ResetSession rolls back a transaction that was begun by SQL and left open.
func (c *conn) ResetSession(context.Context) error {
	if c.closed {
		return driver.ErrBadConn
	}
	if c.tx != nil && c.tx.Rollback() != nil { // database/sql leaves none
		return driver.ErrBadConn
	}
	if c.AutoCommit() {
		return nil
	}
	if _, err := c.SQLiteConn.Exec("ROLLBACK", nil); err != nil {
		return driver.ErrBadConn
	}
	return nil
}

// Prepare is PrepareContext without a context.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares the first statement of a text.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	s, err := c.SQLiteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	st := &stmt{SQLiteStmt: s.(*upstream.SQLiteStmt), conn: c, query: query, empty: isBlank(query)}
	c.children[st] = struct{}{}
	return st, nil
}

// Exec is ExecContext for database/sql before Go 1.8.
func (c *conn) Exec(query string, args []driver.Value) (driver.Result, error) {
	return c.ExecContext(context.Background(), query, named(args))
}

// ExecContext executes all statements of a text, each with the arguments that
// it takes of those that the ones before it left.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	return c.SQLiteConn.ExecContext(ctx, query, args)
}

// Query is QueryContext for database/sql before Go 1.8.
func (c *conn) Query(query string, args []driver.Value) (driver.Rows, error) {
	return c.QueryContext(context.Background(), query, named(args))
}

// QueryContext runs the last statement of a text.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	r, err := c.SQLiteConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return c.track(r, nil), nil
}

// track makes rows that end with the connection. s is the prepared statement
// that they read from, or nil.
func (c *conn) track(r driver.Rows, s *stmt) *rows {
	own := &rows{SQLiteRows: r.(*upstream.SQLiteRows), conn: c, stmt: s}
	c.children[own] = struct{}{}
	return own
}

func named(args []driver.Value) []driver.NamedValue {
	list := make([]driver.NamedValue, len(args))
	for i, v := range args {
		list[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return list
}

// Begin is BeginTx without a context and options.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction. They are serializable in SQLite, which is at
// least what each other level asks for, except sql.LevelLinearizable.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	if level := sql.IsolationLevel(opts.Isolation); level < sql.LevelDefault || level > sql.LevelSerializable {
		return nil, fmt.Errorf("sqlite3: wanted an isolation level up to %s, found %s", sql.LevelSerializable, level)
	}
	up, err := c.SQLiteConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	t := &tx{up: up, conn: c, restore: func() error { return nil }}
	if opts.ReadOnly {
		err = t.setReadOnly()
	}
	if err != nil {
		return nil, errors.Join(err, up.Rollback())
	}
	c.tx = t
	return t, nil
}

// tx is a transaction of upstream.
type tx struct {
	up      driver.Tx
	conn    *conn
	restore func() error // gives the connection back what it had before
}

// Commit ends the transaction. After that it does nothing but return an error:
// the connection may be in the next one.
func (t *tx) Commit() error { return t.end(t.up.Commit) }

// Rollback ends the transaction, as Commit does.
func (t *tx) Rollback() error { return t.end(t.up.Rollback) }

func (t *tx) end(end func() error) error {
	if t.conn.closed {
		return errConnClosed
	}
	if t.conn.tx != t {
		return errTxEnded
	}
	t.conn.tx = nil
	return errors.Join(end(), t.restore())
}

// setReadOnly forbids the connection to write until the transaction ends.
func (t *tx) setReadOnly() error {
	before, err := t.conn.queryOnly()
	if err != nil {
		return err
	}
	t.restore = func() error { return t.conn.setQueryOnly(before) }
	return t.conn.setQueryOnly(1)
}

func (c *conn) queryOnly() (int64, error) {
	r, err := c.SQLiteConn.Query("PRAGMA query_only", nil)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	value := make([]driver.Value, 1)
	if err := r.Next(value); err != nil {
		return 0, err
	}
	on, _ := value[0].(int64)
	return on, nil
}

func (c *conn) setQueryOnly(on int64) error {
	_, err := c.SQLiteConn.Exec(fmt.Sprintf("PRAGMA query_only = %d", on), nil)
	return err
}
