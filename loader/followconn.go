package loader

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
)

// followConn is a connection of a driver that database/sql gives up when the
// driver's version is not current any more. Everything else is the driver's:
// what of database/sql/driver's optional interfaces its connection lacks, this
// one answers as database/sql does when they are missing. Execer and Queryer are
// different: having one changes which arguments database/sql converts, so there
// is a type for each combination; see wrapConn.
//
// The pool calls IsValid when a connection is given back, which is when one of an
// old version ends. ResetSession, before it is used again, could say
// driver.ErrBadConn; but of a pool that is at its limit a caller who gets a third
// such connection gets the error. So one that the sweeper did not find serves once
// more, unless the loader is closed.
type followConn struct {
	driver.Conn
	lane *lane

	pinger    driver.Pinger
	preparer  driver.ConnPrepareContext
	beginner  driver.ConnBeginTx
	resetter  driver.SessionResetter
	validator driver.Validator
	checker   driver.NamedValueChecker

	// idle tells that the pool has the connection, or that it is new.
	idle   atomic.Bool
	closed atomic.Bool
}

// wrapConn returns the connection for database/sql, and what is common to all
// combinations.
func wrapConn(l *lane, c driver.Conn) (driver.Conn, *followConn) {
	f := &followConn{Conn: c, lane: l}
	f.idle.Store(true)
	f.pinger, _ = c.(driver.Pinger)
	f.preparer, _ = c.(driver.ConnPrepareContext)
	f.beginner, _ = c.(driver.ConnBeginTx)
	f.resetter, _ = c.(driver.SessionResetter)
	f.validator, _ = c.(driver.Validator)
	f.checker, _ = c.(driver.NamedValueChecker)
	execer, queryer := execerOf(c), queryerOf(c)
	switch {
	case execer != nil && queryer != nil:
		return &execQueryConn{f, execer, queryer}, f
	case execer != nil:
		return &execConn{f, execer}, f
	case queryer != nil:
		return &queryConn{f, queryer}, f
	}
	return f, f
}

// The combinations of what changes how database/sql calls a connection.
type (
	execConn struct {
		*followConn
		driver.ExecerContext
	}
	queryConn struct {
		*followConn
		driver.QueryerContext
	}
	execQueryConn struct {
		*followConn
		driver.ExecerContext
		driver.QueryerContext
	}
)

// common is implemented by all combinations.
func (c *followConn) common() *followConn { return c }

// Unwrap returns the driver's own connection, for sql.Conn.Raw.
func (c *followConn) Unwrap() driver.Conn { return c.Conn }

// Close implements [driver.Conn].
func (c *followConn) Close() error {
	if c.closed.Swap(true) {
		return c.Conn.Close() // what the driver says to that
	}
	defer c.lane.forget(c)
	return c.Conn.Close()
}

// IsValid implements [driver.Validator].
func (c *followConn) IsValid() bool {
	if c.validator != nil && !c.validator.IsValid() || c.lane.retired.Load() {
		return false
	}
	c.idle.Store(true)
	return true
}

// ResetSession implements [driver.SessionResetter].
func (c *followConn) ResetSession(ctx context.Context) error {
	if sweeping(ctx) {
		return nil
	}
	c.idle.Store(false)
	if c.lane.last.Load() {
		return driver.ErrBadConn // the pool then asks for a new one, and is told why there is none
	}
	if c.resetter != nil {
		return c.resetter.ResetSession(ctx)
	}
	return nil
}

// Ping implements [driver.Pinger].
func (c *followConn) Ping(ctx context.Context) error {
	if c.pinger == nil {
		return nil
	}
	return c.pinger.Ping(ctx)
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *followConn) CheckNamedValue(nv *driver.NamedValue) error {
	if c.checker == nil {
		return driver.ErrSkip // the statement's checker, or the default
	}
	return c.checker.CheckNamedValue(nv)
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *followConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.preparer != nil {
		return c.preparer.PrepareContext(ctx, query)
	}
	stmt, err := c.Conn.Prepare(query)
	if err == nil && ctx.Err() != nil {
		_ = stmt.Close()
		return nil, ctx.Err()
	}
	return stmt, err
}

// BeginTx implements [driver.ConnBeginTx].
func (c *followConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.beginner != nil {
		return c.beginner.BeginTx(ctx, opts)
	}
	// The texts are those of database/sql.
	if opts.Isolation != 0 {
		return nil, errors.New("sql: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	tx, err := beginner(c.Conn).Begin()
	if err == nil && ctx.Err() != nil {
		_ = tx.Rollback()
		return nil, ctx.Err()
	}
	return tx, err
}

// execerOf returns how a connection executes statements without preparing them,
// or nil.
func execerOf(c driver.Conn) driver.ExecerContext {
	if e, ok := c.(driver.ExecerContext); ok {
		return e
	}
	if e, ok := c.(execer); ok {
		return plainExecer{e}
	}
	return nil
}

// queryerOf returns how a connection queries without preparing, or nil.
func queryerOf(c driver.Conn) driver.QueryerContext {
	if q, ok := c.(driver.QueryerContext); ok {
		return q
	}
	if q, ok := c.(queryer); ok {
		return plainQueryer{q}
	}
	return nil
}

// These are of database/sql/driver, where they are deprecated for drivers to
// write, but not for database/sql to call.
type (
	beginner interface{ Begin() (driver.Tx, error) }
	execer   interface {
		Exec(query string, args []driver.Value) (driver.Result, error)
	}
	queryer interface {
		Query(query string, args []driver.Value) (driver.Rows, error)
	}
)

type plainExecer struct{ execer }

func (e plainExecer) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return e.Exec(query, values)
}

type plainQueryer struct{ queryer }

func (q plainQueryer) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return q.Query(query, values)
}

// positional does with arguments what database/sql does for a connection that
// knows neither names nor contexts.
func positional(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = arg.Value
	}
	return values, ctx.Err()
}
