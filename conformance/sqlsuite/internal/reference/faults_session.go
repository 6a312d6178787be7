package reference

import (
	"context"
	"database/sql/driver"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sessionMarks are what the mutants of sessionMutants remember of a
// connection.
type sessionMarks struct {
	violated   bool            // a unique violation happened since the last reset
	everFailed bool            // one happened at all
	committed  bool            // a transaction was committed
	rolledBack bool            // a transaction was rolled back
	stuck      bool            // a cancelled insert is still going on
	late       context.Context // of an update that has ended
	dialed     context.Context // of Connect
	cursors    []*rows         // that may be open
	dropped    string          // the table that was dropped last
	file       *os.File        // open as long as the connection
}

// txMarks are what they remember of a transaction.
type txMarks struct {
	begun   context.Context // of BeginTx
	failed  bool            // a unique violation happened
	deleted bool            // rows were deleted
}

// storeMarks are what they remember of a database.
type storeMarks struct {
	args  []driver.NamedValue // of the last prepared query
	stray bool                // a cancellation is to hit the next series
}

// connectorMarks are what they remember of a connector.
type connectorMarks struct {
	open  atomic.Int32 // connections
	asked atomic.Bool  // for the driver
	file  *os.File
}

// driverMarks are what they remember of a driver.
type driverMarks struct {
	spent atomic.Bool // nothing connects any more
}

// leaked are files that mutants leave open, kept from the garbage collector.
var leaked struct {
	mu    sync.Mutex
	files []*os.File
}

func leak(f *os.File) {
	leaked.mu.Lock()
	defer leaked.mu.Unlock()
	leaked.files = append(leaked.files, f)
}

// mark remembers what some mutants need to know of a new connector.
func (c *connector) mark() (err error) {
	if c.broken("open/no-io") {
		c.marks.file, err = os.Open(os.DevNull)
	}
	return err
}

// litter is what some mutants leave behind when a connector is closed.
func (c *connector) litter() error {
	if c.marks.open.Load() > 0 && c.broken("connector/close-releases") {
		go func() { select {} }()
	}
	if c.marks.file != nil {
		return c.marks.file.Close()
	}
	return nil
}

// mark remembers what some mutants need to know of a new connection.
func (c *conn) mark(ctx context.Context) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marks.dialed = ctx
	c.ctor.marks.open.Add(1)
	if c.broken("conn/close-frees") || c.broken("leak/fds") {
		c.marks.file, err = os.Open(os.DevNull)
	}
	return err
}

// litter is what some mutants leave behind when a connection is closed.
func (c *conn) litter() {
	c.ctor.marks.open.Add(-1)
	if c.broken("leak/goroutines") && c.marks.committed {
		go func() { select {} }()
	}
	switch {
	case c.marks.file == nil:
	case c.broken("conn/close-frees") && c.marks.everFailed, c.broken("leak/fds") && c.marks.rolledBack:
		leak(c.marks.file)
	default:
		_ = c.marks.file.Close()
	}
}

// haunted returns an error that an earlier call, which has ended, causes in
// this one.
func (c *conn) haunted(s *script) error {
	if c.marks.stuck {
		return fault("55006", "an earlier statement is going on")
	}
	if late := c.marks.late; late != nil && late.Err() != nil {
		c.marks.late = nil
		return late.Err()
	}
	if s.is("series", false) && c.db.strays() {
		return context.Canceled
	}
	return nil
}

// misjudge returns an error as some mutants do, after so many statements of the
// text have worked.
func (c *conn) misjudge(k *call, err error, worked int) error {
	e, _ := err.(*Error)
	switch {
	case e == nil:
	case e == errKilled && worked > 0 && c.broken("badconn/not-after-side-effects"),
		e.State == "42P01" && k.verb == "select" && c.broken("badconn/not-on-sql-error"):
		return driver.ErrBadConn
	case e.State == "23505":
		c.marks.everFailed = true
	}
	return err
}

// botch does what some mutants do instead of rolling back.
func (t *transaction) botch() (done bool, err error) {
	switch {
	case t.marks.deleted && t.c.broken("tx/rollback"):
		return true, t.commit()
	case t.marks.failed && t.c.broken("tx/error-then-rollback"):
		t.forgotten = true
		return true, nil
	case t.marks.begun != nil && t.marks.begun.Err() != nil && t.c.broken("tx/cancel-rolls-back"):
		t.forgotten = true
		return true, t.marks.begun.Err()
	}
	return false, nil
}

// hide takes a table away that only this connection believes to be dropped.
func (c *conn) hide(s *snapshot) *snapshot {
	if c.marks.dropped == "" {
		return s
	}
	return s.with(c.marks.dropped, nil)
}

// tooSoon returns what is committed now, for a mutant that writes later.
func (c *conn) tooSoon() *snapshot {
	if !c.broken("conc/pool-stress") {
		return nil
	}
	defer time.Sleep(time.Millisecond) // for others to write meanwhile
	return c.db.committed()
}

// share puts arguments into a place for all connections, and takes them from
// there when others may have done the same.
func (db *store) share(args []driver.NamedValue) []driver.NamedValue {
	db.mu.Lock()
	db.marks.args = slices.Clone(args)
	db.mu.Unlock()
	time.Sleep(time.Millisecond)
	db.mu.Lock()
	defer db.mu.Unlock()
	return slices.Clone(db.marks.args)
}

// disturb sends the cancellation of a query of one connection to another, too.
func (db *store) disturb(c *conn) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.conns) >= 6 && c.broken("conc/cancel-storm") {
		db.marks.stray = true
	}
}

// strays tells whether such a cancellation is there, and takes it away.
func (db *store) strays() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	was := db.marks.stray
	db.marks.stray = false
	return was
}
