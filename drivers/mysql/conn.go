package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"

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

// upstreamStmt is what upstream's statement can do.
type upstreamStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.NamedValueChecker
}

var (
	errStmtClosed = errors.New("mysql: the statement is closed")
	errNested     = contract.WithSQLState(errors.New("mysql: a transaction is in progress on this connection"), "25001")
)

// conn is upstream's connection, mended in three points: a transaction begins
// only outside of another one, one that was begun by SQL does not reach the next
// user of the connection, and closed statements do not panic.
type conn struct {
	upstreamConn
	inTx     bool // between BeginTx and the end of that transaction
	mayBegin bool // a text was sent that may have begun a transaction
}

// Prepare prepares a statement.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares a statement.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.note(query)
	s, err := c.upstreamConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &stmt{upstreamStmt: s.(upstreamStmt)}, nil
}

// ExecContext executes a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.note(query)
	return c.upstreamConn.ExecContext(ctx, query, args)
}

// QueryContext executes a query.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.note(query)
	return c.upstreamConn.QueryContext(ctx, query, args)
}

// Begin begins a transaction.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction. To the server that would be the end of one that
// is open.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.inTx {
		return nil, errNested
	}
	t, err := c.upstreamConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.inTx = true
	return &tx{Tx: t, conn: c}, nil
}

// ResetSession ends a transaction that was begun by SQL and left open. Upstream
// does not tell whether there is one, so the server is asked to end it if a text
// was sent that may have begun one: a round trip that others are spared.
func (c *conn) ResetSession(ctx context.Context) error {
	if err := c.upstreamConn.ResetSession(ctx); err != nil || !c.mayBegin {
		return err
	}
	if _, err := c.upstreamConn.ExecContext(ctx, "ROLLBACK", nil); err != nil {
		return driver.ErrBadConn
	}
	return nil
}

func (c *conn) note(query string) { c.mayBegin = c.mayBegin || mayBegin(query) }

// beginners are the words without one of which no text begins a transaction:
// BEGIN, START TRANSACTION, XA START, SET autocommit, and CALL of a procedure
// that does so.
var beginners = []string{"begin", "transaction", "xa", "autocommit", "call"}

// mayBegin looks for the words wherever they are, in strings as well, since a
// string can be a statement that is prepared.
func mayBegin(query string) bool {
	for rest := query; ; {
		begin := strings.IndexFunc(rest, isLetter)
		if begin < 0 {
			return false
		}
		rest = rest[begin:]
		end := strings.IndexFunc(rest, func(r rune) bool { return !isLetter(r) && r != '_' && r != '$' && (r < '0' || r > '9') })
		if end < 0 {
			end = len(rest)
		}
		if slices.ContainsFunc(beginners, func(word string) bool { return len(word) == end && strings.EqualFold(word, rest[:end]) }) {
			return true
		}
		rest = rest[end:]
	}
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80 }

// tx is upstream's transaction.
type tx struct {
	driver.Tx
	conn *conn // nil after the end
}

// Commit commits the transaction.
func (t *tx) Commit() error {
	t.end()
	return t.Tx.Commit()
}

// Rollback rolls the transaction back.
func (t *tx) Rollback() error {
	t.end()
	return t.Tx.Rollback()
}

// end lets the next transaction begin, once: this one may be ended again when
// the next is open.
func (t *tx) end() {
	if t.conn != nil {
		t.conn.inTx = false
	}
	t.conn = nil
}

// stmt is upstream's statement, which panics when it is used after Close.
type stmt struct {
	upstreamStmt
	closed bool
}

// Close closes the statement. A second Close does nothing.
func (s *stmt) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return s.upstreamStmt.Close()
}

// Exec executes the statement.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	if s.closed {
		return nil, errStmtClosed
	}
	return s.upstreamStmt.Exec(args)
}

// Query executes the query.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	if s.closed {
		return nil, errStmtClosed
	}
	return s.upstreamStmt.Query(args)
}

// ExecContext executes the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.closed {
		return nil, errStmtClosed
	}
	return s.upstreamStmt.ExecContext(ctx, args)
}

// QueryContext executes the query.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.closed {
		return nil, errStmtClosed
	}
	return s.upstreamStmt.QueryContext(ctx, args)
}
