package reference

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
)

// transaction is what a connection is in. Its default level is read committed:
// each statement sees what is committed, until the first write; from there on
// no other connection can write. A frozen one sees, all the time, what was
// committed when it began, and may write only if that still is.
type transaction struct {
	c         *conn
	readOnly  bool
	view      *snapshot // what it sees; nil for what is committed
	writing   bool      // it holds the writer token
	ended     bool
	forgotten bool // set by a mutant
	marks     txMarks
}

// Begin implements [driver.Conn].
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx implements [driver.ConnBeginTx]. The context bounds the call alone:
// database/sql rolls back when it ends later.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	call := ctx
	if c.broken("ctx/begin-cancel") {
		call = context.WithoutCancel(ctx)
	}
	if err := c.enter(call); err != nil {
		return nil, err
	}
	defer c.leave()
	t, err := c.begin(opts)
	if err != nil {
		return nil, err
	}
	t.marks.begun = ctx
	if ctx.Err() != nil && c.broken("ctx/begin-cancel") {
		t.forgotten = true
		return nil, ctx.Err()
	}
	return t, nil
}

func (c *conn) begin(opts driver.TxOptions) (*transaction, error) {
	if c.tx != nil && c.broken("tx/nested") {
		return c.tx, nil
	}
	if c.tx != nil {
		return nil, fault("25001", "a transaction is open")
	}
	t := &transaction{c: c, readOnly: opts.ReadOnly}
	switch level := sql.IsolationLevel(opts.Isolation); level {
	case sql.LevelDefault, sql.LevelReadCommitted:
	case sql.LevelRepeatableRead, sql.LevelSerializable:
		if level == sql.LevelSerializable || !c.broken("tx/isolation-effective") {
			t.view = c.db.committed()
		}
	default:
		if level <= sql.LevelLinearizable || !c.broken("tx/isolation-unsupported") {
			return nil, fault("0A000", "the isolation level %s is not supported", level)
		}
	}
	c.tx = t
	return t, nil
}

// Commit implements [driver.Tx].
func (t *transaction) Commit() error {
	if err := t.c.enter(context.Background()); err != nil {
		return t.uncertain(err)
	}
	defer t.c.leave()
	return t.commit()
}

// Rollback implements [driver.Tx].
func (t *transaction) Rollback() error {
	if err := t.c.enter(context.Background()); err != nil {
		return t.uncertain(err)
	}
	defer t.c.leave()
	if t.ended {
		return errNoTx
	}
	if done, err := t.botch(); done {
		return err
	}
	t.c.marks.rolledBack = true
	t.end()
	return nil
}

var errNoTx = fault("25P01", "the transaction is over")

// uncertain keeps the end of a transaction from being tried again.
func (t *transaction) uncertain(err error) error {
	if err == driver.ErrBadConn {
		return errKilled
	}
	if err == errClosed && t.c.broken("conn/close-with-open-children") {
		return nil
	}
	return err
}

// commit ends the transaction, whether it works or not.
func (t *transaction) commit() error {
	if t.ended && t.c.broken("tx/commit-after-rollback") {
		return nil
	}
	if t.ended {
		return errNoTx
	}
	if t.marks.deleted && t.c.broken("tx/commit") {
		t.end()
		return nil
	}
	if t.writing {
		if err := t.view.check(); err != nil {
			if t.c.broken("tx/commit-error-cleans") {
				t.forgotten = true
				return err
			}
			t.end()
			return err
		}
		if !t.c.db.commit(t.c, t.view) {
			t.end()
			return errKilled
		}
	}
	t.c.marks.committed = true
	t.end()
	return nil
}

// end rolls back whatever is not committed.
func (t *transaction) end() {
	t.ended = true
	t.c.db.release(t.c)
	t.c.tx = nil
}

// abandon rolls back the connection's transaction, if there is one.
func (c *conn) abandon() {
	if c.tx != nil {
		c.tx.end()
	}
}

// view returns what a statement sees.
func (c *conn) view() *snapshot {
	if c.tx != nil && c.tx.view != nil {
		return c.tx.view
	}
	return c.hide(c.db.committed())
}

// write changes the database by f: in the transaction, or else in one for the
// statement alone.
func (c *conn) write(ctx context.Context, f func(*snapshot) (*snapshot, error)) error {
	if c.tx != nil {
		return c.tx.write(ctx, f)
	}
	stale := c.tooSoon()
	if err := c.db.lock(ctx, nil); err != nil {
		return err
	}
	defer c.db.unlock()
	next, err := f(cmp.Or(stale, c.db.committed()))
	if err != nil {
		return err
	}
	if err := next.check(); err != nil {
		return err
	}
	c.db.publish(next)
	return nil
}

func (t *transaction) write(ctx context.Context, f func(*snapshot) (*snapshot, error)) error {
	if t.readOnly && !t.c.broken("tx/read-only") {
		return fault("25006", "the transaction is read-only")
	}
	if !t.writing {
		if err := t.c.db.lock(ctx, t.c); err != nil {
			return err
		}
		now := t.c.db.committed()
		if t.view != nil && t.view != now {
			t.c.db.release(t.c)
			return fault("40001", "another transaction has written since this one began")
		}
		t.view, t.writing = now, true
	}
	next, err := f(t.view)
	if err != nil {
		return err
	}
	t.view = next
	return nil
}
