package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
)

var errStmtClosed = errors.New("mysql: the statement is closed")

// upstreamStmt is what upstream's statement can do.
type upstreamStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.NamedValueChecker
}

// stmt is upstream's statement, which panics when it is used after Close.
type stmt struct {
	upstreamStmt
	conn   *conn
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
	return s.exec(func() (driver.Result, error) { return s.upstreamStmt.Exec(args) })
}

// ExecContext executes the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.exec(func() (driver.Result, error) { return s.upstreamStmt.ExecContext(ctx, args) })
}

func (s *stmt) exec(call func() (driver.Result, error)) (driver.Result, error) {
	if s.closed {
		return nil, errStmtClosed
	}
	r, err := call()
	return r, s.conn.told(err)
}

// Query executes the query.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.query(func() (driver.Rows, error) { return s.upstreamStmt.Query(args) })
}

// QueryContext executes the query.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.query(func() (driver.Rows, error) { return s.upstreamStmt.QueryContext(ctx, args) })
}

func (s *stmt) query(call func() (driver.Rows, error)) (driver.Rows, error) {
	if s.closed {
		return nil, errStmtClosed
	}
	r, err := call()
	if err != nil {
		return nil, s.conn.told(err)
	}
	return s.conn.rows(r), nil
}

// upstreamRows is what upstream's rows can do.
type upstreamRows interface {
	driver.RowsNextResultSet
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// rows is upstream's rows, whose errors the connection hears of.
type rows struct {
	upstreamRows
	conn *conn
}

func (c *conn) rows(r driver.Rows) driver.Rows {
	return &rows{upstreamRows: r.(upstreamRows), conn: c}
}

// Next reads a row.
func (r *rows) Next(dest []driver.Value) error { return r.conn.told(r.upstreamRows.Next(dest)) }

// NextResultSet goes on to the next result.
func (r *rows) NextResultSet() error { return r.conn.told(r.upstreamRows.NextResultSet()) }

// Close ends the rows.
func (r *rows) Close() error { return r.conn.told(r.upstreamRows.Close()) }
