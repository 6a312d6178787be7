package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
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

// Close closes the statement; the server hears of it when it has sent the rows
// that are open. A second Close does nothing.
func (s *stmt) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.conn.reading != nil {
		s.conn.unclosed = append(s.conn.unclosed, s.upstreamStmt)
		return nil
	}
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
	if s.conn.reading != nil {
		return nil, errBusy
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
	if s.conn.reading != nil {
		return nil, errBusy
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

// rows is upstream's rows, which keep the connection busy until they have ended.
type rows struct {
	upstreamRows
	conn *conn
}

// rows makes rows that the connection knows of. Those of a statement that gives
// none have no columns, and have ended.
func (c *conn) rows(up driver.Rows) driver.Rows {
	r := &rows{upstreamRows: up.(upstreamRows), conn: c}
	c.reading = r
	if len(r.Columns()) == 0 {
		_ = r.end()
	}
	return r
}

// Next reads a row.
func (r *rows) Next(dest []driver.Value) error {
	err := r.upstreamRows.Next(dest)
	if err == io.EOF && !r.HasNextResultSet() {
		_ = r.end()
	}
	return r.conn.told(err)
}

// NextResultSet goes on to the next result.
func (r *rows) NextResultSet() error {
	err := r.upstreamRows.NextResultSet()
	if err == io.EOF {
		_ = r.end()
	}
	return r.conn.told(err)
}

// Close reads what is left of the rows.
func (r *rows) Close() error { return r.conn.told(r.end()) }

// end lets the connection take commands again, which it does not before upstream
// has closed the rows: it would still watch their context. Other rows may be open
// by now.
func (r *rows) end() error {
	err := r.upstreamRows.Close()
	if r.conn.reading != r {
		return err
	}
	r.conn.reading = nil
	for _, s := range r.conn.unclosed {
		_ = s.Close() // nobody is left to hear of it; the server forgets it with the connection
	}
	r.conn.unclosed = nil
	return err
}
