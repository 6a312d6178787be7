package sqlite3

import (
	"context"
	"database/sql/driver"
	"reflect"
	"strings"

	upstream "github.com/mattn/go-sqlite3"
)

var (
	_ driver.StmtExecContext                = (*stmt)(nil)
	_ driver.StmtQueryContext               = (*stmt)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
)

// stmt is a statement of upstream, which calls SQLite with a null pointer when
// the statement is closed, or empty, and so ends the process.
type stmt struct {
	*upstream.SQLiteStmt
	conn   *conn
	query  string
	rows   *rows // the last ones; nil before
	empty  bool
	closed bool
}

// usable returns the statement, or tells why it cannot be run for a context.
// SQLite has one cursor for a statement. While rows are read from it another
// statement of the same text runs, which done ends; upstream would let both
// rows read from the one.
func (s *stmt) usable(ctx context.Context) (st *stmt, done func(), err error) {
	if s.closed {
		return nil, nil, errStmtClosed
	}
	if err := s.conn.usable(ctx); err != nil {
		return nil, nil, err
	}
	if s.rows == nil || s.rows.closed {
		return s, func() {}, nil
	}
	again, err := s.conn.PrepareContext(ctx, s.query)
	if err != nil {
		return nil, nil, err
	}
	return again.(*stmt), func() { _ = again.Close() }, nil
}

// Close lets open rows be read to their end: the statement ends with them. A
// second Close does nothing.
func (s *stmt) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	delete(s.conn.children, s)
	if s.rows != nil && !s.rows.closed {
		return nil
	}
	return s.SQLiteStmt.Close()
}

// Exec is ExecContext for database/sql before Go 1.8.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

// ExecContext executes the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s, done, err := s.usable(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if s.empty {
		return &upstream.SQLiteResult{}, nil
	}
	return s.SQLiteStmt.ExecContext(ctx, args)
}

// Query is QueryContext for database/sql before Go 1.8.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

// QueryContext runs the statement.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s, done, err := s.usable(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if s.empty {
		return s.conn.track(&upstream.SQLiteRows{}, nil), nil
	}
	r, err := s.SQLiteStmt.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.rows = s.conn.track(r, s)
	return s.rows, nil
}

// isBlank tells whether SQLite finds no statement in a text: nothing but white
// space, comments and semicolons before its end or a NUL.
func isBlank(query string) bool {
	query, _, _ = strings.Cut(query, "\x00")
	for {
		query = strings.TrimPrefix(strings.TrimLeft(query, " \t\n\f\r;"), "\ufeff")
		switch {
		case query == "":
			return true
		case strings.HasPrefix(query, "--"):
			_, query, _ = strings.Cut(query, "\n")
		case strings.HasPrefix(query, "/*"):
			_, query, _ = strings.Cut(query[2:], "*/")
		case !strings.ContainsAny(query[:1], " \t\n\f\r;"):
			return false
		}
	}
}

// rows are rows of upstream, which begins anew when it is asked for a row after
// the last one.
type rows struct {
	*upstream.SQLiteRows
	conn   *conn
	stmt   *stmt // nil for a query that was not prepared
	ended  error // what Next returns from now on; nil while there may be rows
	closed bool
}

// Close ends the rows, and the statement if it was closed before. A second
// Close does nothing.
func (r *rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed, r.ended = true, errRowsClosed
	delete(r.conn.children, r)
	err := r.SQLiteRows.Close()
	if r.stmt != nil && r.stmt.closed && r.stmt.rows == r {
		_ = r.stmt.SQLiteStmt.Close()
	}
	return err
}

// Next reads a row. After io.EOF or an error it goes on returning that.
func (r *rows) Next(dest []driver.Value) error {
	if r.ended == nil {
		r.ended = r.SQLiteRows.Next(dest)
	}
	return r.ended
}

// ColumnTypeDatabaseTypeName returns the declared type in upper case, without
// a length, or "" for an expression.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if r.closed {
		return ""
	}
	name, _, _ := strings.Cut(r.SQLiteRows.ColumnTypeDatabaseTypeName(i), "(")
	return strings.ToUpper(strings.TrimSpace(name))
}

// ColumnTypeNullable knows nothing of any column.
func (r *rows) ColumnTypeNullable(int) (nullable, ok bool) { return false, false }

// ColumnTypeScanType goes by the declared type.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	if r.closed {
		return reflect.TypeFor[any]()
	}
	return r.SQLiteRows.ColumnTypeScanType(i)
}
