package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"

	"github.com/keyway-go/keyway/contract"
)

// upstreamConn is what upstream's connection can do.
type upstreamConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

var (
	errBusy   = errors.New("mysql: rows of this connection are being read; close them first")
	errNested = contract.WithSQLState(errors.New("mysql: a transaction is in progress on this connection"), "25001")
)

// conn is upstream's connection, mended in four points: a transaction begins
// only outside of another one, one that was begun by SQL does not reach the next
// user of the connection, a call while rows are open is refused before it damages
// them, and closed statements do not panic.
type conn struct {
	upstreamConn
	inTx   bool // between BeginTx and the end of that transaction
	failed bool // an answer was an error, which does not tell of a transaction

	reading  *rows          // those that the server has not sent whole; or nil
	unclosed []upstreamStmt // that were closed meanwhile
}

// Prepare prepares a statement.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares a statement.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.reading != nil {
		return nil, errBusy
	}
	s, err := c.upstreamConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.told(err)
	}
	return &stmt{upstreamStmt: s.(upstreamStmt), conn: c}, nil
}

// ExecContext executes a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.reading != nil {
		return nil, errBusy
	}
	r, err := c.upstreamConn.ExecContext(ctx, query, args)
	return r, c.told(err)
}

// QueryContext executes a query.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.reading != nil {
		return nil, errBusy
	}
	r, err := c.upstreamConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.told(err)
	}
	return c.rows(r), nil
}

// Begin begins a transaction.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction. To the server that would be the end of one that
// is open.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	switch {
	case c.reading != nil:
		return nil, errBusy
	case c.inTx:
		return nil, errNested
	}
	t, err := c.upstreamConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, c.told(err)
	}
	c.inTx = true
	return &tx{Tx: t, conn: c}, nil
}

// Ping asks the server for an answer.
func (c *conn) Ping(ctx context.Context) error {
	if c.reading != nil {
		return errBusy
	}
	return c.told(c.upstreamConn.Ping(ctx))
}

// ResetSession ends a transaction that was left open, by SQL for example. It
// waits for the server only if there may be one.
func (c *conn) ResetSession(ctx context.Context) error {
	if err := c.upstreamConn.ResetSession(ctx); err != nil || !c.mayBeInTx() {
		return err
	}
	// A bare ROLLBACK would begin the next one under completion_type=1.
	if _, err := c.upstreamConn.ExecContext(ctx, "ROLLBACK AND NO CHAIN NO RELEASE", nil); err != nil {
		return driver.ErrBadConn
	}
	c.failed = false
	return nil
}

// statusInTrans is SERVER_STATUS_IN_TRANS, a bit of the status that the server
// sends with each answer but an error.
const statusInTrans = 1 << 0

// mayBeInTx reads the status in upstream's connection, which has no method that
// tells it: nothing else knows of each way to begin a transaction. Where the
// status is not what it was in v1.10.1, there may always be one.
func (c *conn) mayBeInTx() bool {
	status := reflect.Indirect(reflect.ValueOf(c.upstreamConn)).FieldByName("status")
	return c.failed || !status.CanUint() || status.Uint()&statusInTrans != 0
}

// told keeps in mind that an answer was an error.
func (c *conn) told(err error) error {
	c.failed = c.failed || err != nil && err != driver.ErrSkip && err != io.EOF
	return err
}

// tx is upstream's transaction.
type tx struct {
	driver.Tx
	conn  *conn
	ended bool
}

// Commit commits the transaction.
func (t *tx) Commit() error { return t.end(t.Tx.Commit) }

// Rollback rolls the transaction back.
func (t *tx) Rollback() error { return t.end(t.Tx.Rollback) }

// end lets the next transaction begin, once: this one may be ended again when
// the next is open.
func (t *tx) end(end func() error) error {
	if t.conn.reading != nil {
		return errBusy
	}
	if !t.ended {
		t.conn.inTx = false
	}
	t.ended = true
	return t.conn.told(end())
}
