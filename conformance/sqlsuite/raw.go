package sqlsuite

//lint:file-ignore SA1019 drivers that implement only the old interfaces are tested too

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
)

// conn is a connection on which a check calls what database/sql would call. It
// is used by one goroutine at a time.
type conn struct {
	driver.Conn
	e      *env
	closed atomic.Bool
}

// Close closes the connection; it is then not closed after the check.
func (c *conn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// exec executes a statement as DB.ExecContext does: by ExecerContext if the
// connection has it and does not skip, else by a prepared statement.
func (c *conn) exec(ctx context.Context, text string, args ...any) (driver.Result, error) {
	if direct := c.execer(); direct != nil {
		named, err := c.named(nil, args)
		if err != nil {
			return nil, err
		}
		if res, err := direct(ctx, text, named); err != driver.ErrSkip {
			return res, err
		}
	}
	st, err := c.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	return st.exec(ctx, args...)
}

// query is exec for a statement that returns rows.
func (c *conn) query(ctx context.Context, text string, args ...any) (*cursor, error) {
	if direct := c.queryer(); direct != nil {
		named, err := c.named(nil, args)
		if err != nil {
			return nil, err
		}
		if rows, err := direct(ctx, text, named); err != driver.ErrSkip {
			return c.cursor(rows, text, err)
		}
	}
	st, err := c.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	cur, err := st.query(ctx, args...)
	if err != nil {
		st.Close()
		return nil, err
	}
	cur.parent = st
	return cur, nil
}

type (
	execFunc  = func(context.Context, string, []driver.NamedValue) (driver.Result, error)
	queryFunc = func(context.Context, string, []driver.NamedValue) (driver.Rows, error)
)

// execer returns the connection's own way of executing a text, or nil.
func (c *conn) execer() execFunc {
	switch ci := c.Conn.(type) {
	case driver.ExecerContext:
		return ci.ExecContext
	case driver.Execer: //nolint:staticcheck // database/sql still calls it
		return func(ctx context.Context, text string, named []driver.NamedValue) (driver.Result, error) {
			args, err := positional(ctx, named)
			if err != nil {
				return nil, err
			}
			return ci.Exec(text, args)
		}
	}
	return nil
}

// queryer returns the connection's own way of querying a text, or nil.
func (c *conn) queryer() queryFunc {
	switch ci := c.Conn.(type) {
	case driver.QueryerContext:
		return ci.QueryContext
	case driver.Queryer: //nolint:staticcheck // database/sql still calls it
		return func(ctx context.Context, text string, named []driver.NamedValue) (driver.Rows, error) {
			args, err := positional(ctx, named)
			if err != nil {
				return nil, err
			}
			return ci.Query(text, args)
		}
	}
	return nil
}

// prepare prepares a statement, which is closed after the check unless the
// check closes it.
func (c *conn) prepare(ctx context.Context, text string) (*stmt, error) {
	var raw driver.Stmt
	var err error
	if ci, ok := c.Conn.(driver.ConnPrepareContext); ok {
		raw, err = ci.PrepareContext(ctx, text)
	} else if raw, err = c.Conn.Prepare(text); err == nil && ctx.Err() != nil {
		raw.Close()
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if raw == nil {
		c.e.Fatalf("preparing %q returned neither a statement nor an error", text)
	}
	st := &stmt{Stmt: raw, c: c, text: text}
	c.e.Cleanup(func() {
		if !st.closed.Load() && !c.closed.Load() {
			c.e.release("Stmt.Close", st.Close)
		}
	})
	return st, nil
}

// begin begins a transaction as DB.BeginTx does.
func (c *conn) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if ci, ok := c.Conn.(driver.ConnBeginTx); ok {
		return ci.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 || opts.ReadOnly {
		return nil, errors.New("the connection has no BeginTx, so options are not supported")
	}
	tx, err := c.Conn.Begin() //nolint:staticcheck // database/sql still calls it
	if err == nil && ctx.Err() != nil {
		tx.Rollback()
		return nil, ctx.Err()
	}
	return tx, err
}

// reset prepares the connection for its next user, as the pool does when it
// takes an idle connection: false means that the pool would discard it.
func (c *conn) reset(ctx context.Context) bool {
	if !c.valid() {
		return false
	}
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return !errors.Is(r.ResetSession(ctx), driver.ErrBadConn)
	}
	return true
}

// valid tells whether the connection calls itself so, if it says anything.
func (c *conn) valid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

// stmt is a prepared statement on which a check calls what database/sql would.
type stmt struct {
	driver.Stmt
	c      *conn
	text   string
	closed atomic.Bool
}

// Close closes the statement; it is then not closed after the check.
func (s *stmt) Close() error {
	s.closed.Store(true)
	return s.Stmt.Close()
}

func (s *stmt) exec(ctx context.Context, args ...any) (driver.Result, error) {
	named, err := s.c.named(s.Stmt, args)
	if err != nil {
		return nil, err
	}
	if si, ok := s.Stmt.(driver.StmtExecContext); ok {
		return si.ExecContext(ctx, named)
	}
	values, err := positional(ctx, named)
	if err != nil {
		return nil, err
	}
	return s.Stmt.Exec(values) //nolint:staticcheck // database/sql still calls it
}

func (s *stmt) query(ctx context.Context, args ...any) (*cursor, error) {
	named, err := s.c.named(s.Stmt, args)
	if err != nil {
		return nil, err
	}
	if si, ok := s.Stmt.(driver.StmtQueryContext); ok {
		rows, err := si.QueryContext(ctx, named)
		return s.c.cursor(rows, s.text, err)
	}
	values, err := positional(ctx, named)
	if err != nil {
		return nil, err
	}
	rows, err := s.Stmt.Query(values) //nolint:staticcheck // database/sql still calls it
	return s.c.cursor(rows, s.text, err)
}
