package reference

import (
	"context"
	"database/sql/driver"
	"slices"
)

var (
	_ driver.Stmt              = (*stmt)(nil)
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
	_ driver.Result            = (*result)(nil)
)

// stmt is a prepared statement. What it reads is independent of its rows, and
// of other statements.
type stmt struct {
	c        *conn
	script   *script
	prepared context.Context // of the call that prepared it; for a mutant
	closed   bool            // protected by c.mu, as are its marks
	marks    stmtMarks
}

// enter begins an execution.
func (s *stmt) enter(ctx context.Context) error {
	if s.c.broken("ctx/prepare-not-stored") && s.prepared.Err() != nil {
		return s.prepared.Err()
	}
	return s.c.enter(ctx)
}

// Close implements [driver.Stmt]. It works after the connection is closed.
func (s *stmt) Close() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.closed {
		s.c.marks.data.statements--
	}
	s.closed = true
	return s.late()
}

// NumInput implements [driver.Stmt].
func (s *stmt) NumInput() int {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.marks.used && s.c.broken("stmt/num-input") {
		return -1
	}
	return s.script.inputs()
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (s *stmt) CheckNamedValue(nv *driver.NamedValue) error { return s.c.CheckNamedValue(nv) }

// Exec implements [driver.Stmt].
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), numbered(args))
}

// Query implements [driver.Stmt].
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	named := numbered(args)
	if s.c.broken("stmt/legacy-parity") {
		slices.Reverse(named)
	}
	return s.QueryContext(context.Background(), named)
}

// ExecContext implements [driver.StmtExecContext].
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.c.leave()
	if s.closed && !s.c.broken("stmt/use-after-close") {
		return nil, errClosed
	}
	if err := s.stale(args); err != nil {
		return nil, err
	}
	if s.script.is("insert", true) && s.c.broken("ctx/cancel-during-exec") {
		ctx = context.WithoutCancel(ctx)
	}
	if s.script.is("update", false) && s.c.broken("ctx/late-cancel") {
		defer func() { s.c.marks.late = ctx }()
	}
	if s.c.broken("ctx/watcher-freed") {
		go func() { <-ctx.Done() }()
	}
	res, err := s.c.exec(ctx, s.script, args)
	s.marks.failed = err
	return res, err
}

// QueryContext implements [driver.StmtQueryContext].
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.c.leave()
	if s.closed {
		return nil, errClosed
	}
	if err := s.stale(args); err != nil {
		return nil, err
	}
	if s.script.is("select", false) && s.c.broken("conc/shared-stmt") {
		args = s.c.db.share(args)
	}
	if s.script.is("series", true) && s.c.broken("ctx/cancel-during-query") {
		ctx = context.WithoutCancel(ctx)
	}
	r, err := s.c.query(ctx, s.script, args)
	if err != nil {
		return nil, err
	}
	s.adopt(r)
	return r, nil
}

func numbered(args []driver.Value) []driver.NamedValue {
	named := make([]driver.NamedValue, len(args))
	for i, v := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return named
}

// result is the outcome of an execution, which nothing changes later.
type result struct {
	affected int64
	inserted bool
	last     int64
	freed    bool // set by a mutant
}

// LastInsertId implements [driver.Result].
func (r *result) LastInsertId() (int64, error) {
	if r.freed {
		panic("reference: the result was freed")
	}
	if !r.inserted {
		return 0, fault("55000", "the statement inserted no row")
	}
	return r.last, nil
}

// RowsAffected implements [driver.Result].
func (r *result) RowsAffected() (int64, error) { return r.affected, nil }
