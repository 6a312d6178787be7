package reference

import (
	"context"
	"database/sql/driver"
	"sync"
	"time"
)

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// conn is a connection. Every call on it, on its statements and on its rows
// holds mu. Its users make one call at a time anyway; mu keeps the mutants,
// some of which hang, from racing with Close.
type conn struct {
	d       *Driver
	db      *store
	ctor    *connector
	id      int64
	closing chan struct{} // closed by Close
	killing chan struct{} // closed when the database ends the connection
	once    sync.Once     // of Close

	mu      sync.Mutex // protects following fields
	tx      *transaction
	session map[string]driver.Value
	lost    bool // the database ended it, and a call has noticed
	marks   marks
}

// marks are what some mutants remember.
type marks struct {
	sessionMarks
	data dataMarks
}

// enter begins a call. It fails if nothing may be sent to the database.
func (c *conn) enter(ctx context.Context) error {
	if !c.d.calls.enter() {
		return errShutdown
	}
	c.mu.Lock()
	if err := c.ready(ctx); err != nil {
		c.leave()
		return err
	}
	return nil
}

func (c *conn) leave() {
	c.mu.Unlock()
	c.d.calls.leave()
}

// ready returns the error of a call that was not begun: ErrBadConn if the
// database has ended the connection, for nothing was sent yet.
func (c *conn) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.broken("connector/ctx-not-retained") && c.marks.dialed.Err() != nil {
		c.lost = true
		return driver.ErrBadConn
	}
	select {
	case <-c.closing:
		return errClosed
	case <-c.killing:
		c.lost = true
		return driver.ErrBadConn
	default:
		return nil
	}
}

// alive returns the error of a call during which the connection ended.
func (c *conn) alive(ctx context.Context) error {
	err := c.ready(ctx)
	if err == driver.ErrBadConn {
		return errKilled
	}
	return err
}

// wait is what takes minutes.
func (c *conn) wait(ctx context.Context) error {
	timer := time.NewTimer(10 * time.Minute)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		c.db.disturb(c)
		if c.broken("ctx/error-identity") && ctx.Err() == context.DeadlineExceeded {
			return fault("57014", "the statement was interrupted")
		}
	case <-c.closing:
	case <-c.killing:
	}
	return c.alive(ctx)
}

// Close implements [driver.Conn]. It first ends whatever is in flight.
func (c *conn) Close() error {
	again := true
	c.once.Do(func() {
		again = false
		close(c.closing)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.tx != nil && c.broken("tx/close-rolls-back") {
			_ = c.tx.commit()
		}
		c.abandon()
		c.db.disconnect(c)
		c.litter()
	})
	if again && c.broken("conn/close-twice") {
		panic("reference: close of a closed connection")
	}
	return nil
}

// Ping implements [driver.Pinger].
func (c *conn) Ping(ctx context.Context) error {
	if c.broken("ping/ctx") {
		ctx = context.Background()
	}
	if err := c.enter(ctx); err != nil {
		return err
	}
	defer c.leave()
	if c.tx != nil && c.broken("ping/live") {
		return fault("25001", "a transaction is open")
	}
	return nil
}

// ResetSession implements [driver.SessionResetter]. database/sql heeds no
// error but ErrBadConn, so there is no other, and the context does not matter.
func (c *conn) ResetSession(ctx context.Context) error {
	if ctx.Err() != nil && c.broken("reset/error-is-badconn") {
		return ctx.Err()
	}
	if err := c.enter(context.Background()); err != nil {
		return driver.ErrBadConn
	}
	defer c.leave()
	if c.tx != nil && !c.tx.forgotten && !c.broken("reset/after-tx") {
		c.abandon()
	}
	if !c.broken("reset/clears-session") {
		c.session = nil
	}
	c.marks.violated = false
	return nil
}

// IsValid implements [driver.Validator].
func (c *conn) IsValid() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closing:
		return false
	default:
		return !c.lost && !(c.marks.violated && c.broken("valid/true-after-sql-error"))
	}
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *conn) CheckNamedValue(nv *driver.NamedValue) error {
	if v, ok, err := c.misread(nv.Value); ok {
		nv.Value = v
		return err
	}
	v, err := driver.DefaultParameterConverter.ConvertValue(nv.Value)
	if err != nil {
		return err
	}
	nv.Value = v
	return nil
}

// Prepare implements [driver.Conn].
func (c *conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext implements [driver.ConnPrepareContext]. The context bounds
// the call alone.
func (c *conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if c.broken("ctx/pre-cancelled-prepare") {
		ctx = context.WithoutCancel(ctx)
	}
	if err := c.enter(ctx); err == errClosed && c.broken("conn/use-after-close") {
		return &stmt{c: c, script: &script{}}, nil
	} else if err != nil {
		return nil, err
	}
	defer c.leave()
	s, err := parse(text)
	if err != nil {
		return nil, err
	}
	st := &stmt{c: c, script: s, prepared: ctx}
	if err := c.track(st); err != nil {
		return nil, err
	}
	return st, nil
}

// ExecContext implements [driver.ExecerContext].
func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if c.broken("ctx/pre-cancelled") && ctx.Err() != nil {
		_, _ = c.ExecContext(context.WithoutCancel(ctx), text, args)
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	s, err := parse(text)
	if err != nil {
		return nil, err
	}
	return c.exec(ctx, s, args)
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	s, err := parse(text)
	if err != nil && c.broken("stmt/bad-sql") {
		s, err = &script{}, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := c.query(ctx, s, args)
	if err != nil && !c.broken("rows/nil-on-error") {
		return nil, err
	}
	return r, err
}
