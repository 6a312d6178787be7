package postgres

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/keyway-go/keyway/contract"
)

// upstreamConn and upstreamStmt leave the name of upstream's method Conn free.
type (
	upstreamConn = stdlib.Conn
	upstreamStmt = stdlib.Stmt
)

var (
	errBusy       = errors.New("postgres: rows of this connection are being read; close them first")
	errStmtClosed = errors.New("postgres: the statement is closed")
	errNested     = contract.WithSQLState(errors.New("postgres: a transaction is in progress on this connection"), "25001")
)

// conn is upstream's connection, mended in three points: a call while rows are
// open is refused before it damages them, a call whose context has ended
// returns the context's error and not driver.ErrBadConn, and a transaction
// begins only outside of another one. What else upstream's connection can do,
// its method Conn included, is promoted.
type conn struct {
	*upstreamConn
	unused []*upstreamStmt // are closed, and the server is to drop them
}

var (
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
)

// done returns the error of a call. Upstream takes a context that ended before
// anything was sent for a reason to try again, and at a Ping any context.
func done(ctx context.Context, err error) error {
	if errors.Is(err, driver.ErrBadConn) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// ExecContext executes a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return exec(ctx, c, func() (driver.Result, error) { return c.upstreamConn.ExecContext(ctx, query, args) })
}

// QueryContext executes a query.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return exec(ctx, c, func() (driver.Rows, error) { return c.upstreamConn.QueryContext(ctx, query, args) })
}

// exec does a call unless rows are open or the context has ended, for which
// upstream's BeginTx would close the connection.
func exec[R any](ctx context.Context, c *conn, call func() (R, error)) (R, error) {
	var none R
	switch {
	case c.Conn().PgConn().IsBusy():
		return none, errBusy
	case ctx.Err() != nil:
		return none, ctx.Err()
	}
	_ = c.dropUnused() // after an error the connection is closed, as the call will find
	r, err := call()
	if err != nil {
		return none, done(ctx, err)
	}
	return r, nil
}

// Ping asks the server for an answer. Upstream closes the connection at any
// error and returns driver.ErrBadConn. But a connection whose rows are open is
// well, and database/sql would wait for the rows before it gives it up; so is
// one whose caller has no more time.
func (c *conn) Ping(ctx context.Context) error {
	switch {
	case c.Conn().IsClosed():
		return driver.ErrBadConn
	case c.Conn().PgConn().IsBusy():
		return errBusy
	case ctx.Err() != nil:
		return ctx.Err()
	}
	_ = c.dropUnused()
	return done(ctx, c.upstreamConn.Ping(ctx))
}

// ResetSession is called before the connection is used again.
func (c *conn) ResetSession(ctx context.Context) error {
	_ = c.dropUnused()
	return c.upstreamConn.ResetSession(ctx)
}

// dropUnused makes the server drop the closed statements, unless rows are open:
// nothing can be sent then, and upstream would forget the statement.
func (c *conn) dropUnused() error {
	if c.Conn().PgConn().IsBusy() {
		return nil
	}
	var err error
	for _, s := range c.unused {
		err = errors.Join(err, s.Close())
	}
	c.unused = nil
	return err
}

// Prepare prepares a statement.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares a statement.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := exec(ctx, c, func() (driver.Stmt, error) { return c.upstreamConn.PrepareContext(ctx, query) })
	if err != nil {
		return nil, err
	}
	return &stmt{upstreamStmt: s.(*upstreamStmt), conn: c}, nil
}

// Begin begins a transaction.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction. Upstream would take the server's warning that
// there is one already for success.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return exec(ctx, c, func() (driver.Tx, error) {
		if !c.Conn().IsClosed() && c.Conn().PgConn().TxStatus() != 'I' {
			return nil, errNested
		}
		return c.upstreamConn.BeginTx(ctx, opts)
	})
}

// stmt is upstream's statement, which does not know whether it is closed.
type stmt struct {
	*upstreamStmt
	conn   *conn
	closed bool
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

// Close closes the statement. While rows are open, the server keeps it for the
// time being. A second Close does nothing.
func (s *stmt) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.conn.unused = append(s.conn.unused, s.upstreamStmt)
	return s.conn.dropUnused()
}

// ExecContext executes the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.closed {
		return nil, errStmtClosed
	}
	return exec(ctx, s.conn, func() (driver.Result, error) { return s.upstreamStmt.ExecContext(ctx, args) })
}

// QueryContext executes the query.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.closed {
		return nil, errStmtClosed
	}
	return exec(ctx, s.conn, func() (driver.Rows, error) { return s.upstreamStmt.QueryContext(ctx, args) })
}
