package loader

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyway-go/keyway/contract"
)

// following is a connector whose connections come from the current version of
// a driver.
type following struct {
	name, dsn string
	lanes     *lanes
	leave     func(*following) // the registry
	lane      atomic.Pointer[lane]
	closed    atomic.Bool
	db        *sql.DB // whose idle connections can be swept, or nil
}

// Connect implements [driver.Connector].
func (f *following) Connect(ctx context.Context) (driver.Conn, error) {
	if sweeping(ctx) {
		return nil, errNoneIdle
	}
	for {
		l := f.lane.Load()
		if l == nil {
			return nil, ErrClosed
		}
		if !l.enter() {
			continue // the next lane is in place, or none
		}
		c, current, err := l.connect(ctx)
		if !current && ctx.Err() == nil {
			continue // the lane was retired meanwhile, and its connection is gone
		}
		if !current && err == nil {
			err = ctx.Err()
		}
		return c, err
	}
}

// Driver implements [driver.Connector]. It returns what the current version's
// connector does.
func (f *following) Driver() driver.Driver {
	if l := f.lane.Load(); l != nil {
		return l.connector.Driver()
	}
	return closedDriver{}
}

// Close implements io.Closer; a *sql.DB calls it.
func (f *following) Close() error {
	f.leave(f)
	f.retire()
	return nil
}

// prepare implements follower.
func (f *following) prepare(d *Driver[contract.Driver]) (move, drop func(), err error) {
	next, err := f.lanes.open(d, f.dsn)
	if err != nil {
		return nil, nil, err
	}
	move = func() {
		next.inst.of.use.lanes.Add(1)
		next.counted = true
		if old := f.lane.Swap(next); old != nil {
			old.retire(f.db)
		}
		if f.closed.Load() { // while this was prepared
			f.retire()
		}
	}
	return move, func() { next.retire(nil) }, nil
}

// retire implements follower. Nothing is moved to any more.
func (f *following) retire() {
	f.closed.Store(true)
	if l := f.lane.Swap(nil); l != nil {
		l.last.Store(true)
		l.retire(f.db)
	}
}

// closedDriver is the driver of a connector that has none any more.
type closedDriver struct{}

func (closedDriver) Open(string) (driver.Conn, error) { return nil, ErrClosed }

// lanes are what the *sql.DB values of a loader use of its drivers. Each version
// in use has one driver of its own for all of them, which is made when it is
// first used and shut down when nothing uses it any more.
type lanes struct {
	logger *slog.Logger // for drivers, or nil
	log    *slog.Logger

	mu        sync.Mutex // protects following fields
	instances map[*Driver[contract.Driver]]*instance
	leaving   map[*lane]bool // retired, and not drained
}

func newLanes(logger, log *slog.Logger) *lanes {
	return &lanes{logger: logger, log: log, instances: map[*Driver[contract.Driver]]*instance{}, leaving: map[*lane]bool{}}
}

// instance is a driver that lanes share.
type instance struct {
	of    *Driver[contract.Driver]
	once  sync.Once // makes value, or err
	value contract.Driver
	err   error
	lanes int // protected by lanes.mu
}

// lane is a DSN in use with a version of a driver.
type lane struct {
	all       *lanes
	inst      *instance
	connector driver.Connector
	drained   chan struct{} // closed when it was retired and nothing is left

	counted bool // among those that use the version; set before it is used

	last     atomic.Bool // there is no version to go to: the loader or the database is closed
	retiring atomic.Bool // retire was called
	retired  atomic.Bool // written under mu

	mu         sync.Mutex // protects following fields
	conns      map[*followConn]struct{}
	connecting int
}

// open makes a lane. The driver's code runs in it, with panics contained.
func (ls *lanes) open(d *Driver[contract.Driver], dsn string) (*lane, error) {
	inst, err := ls.use(d)
	if err != nil {
		return nil, err
	}
	connector, err := openConnector(d.Manifest.Name, inst.value, dsn)
	if err != nil {
		ls.release(inst)
		return nil, err
	}
	return &lane{all: ls, inst: inst, connector: connector, drained: make(chan struct{}), conns: map[*followConn]struct{}{}}, nil
}

func openConnector(name string, d contract.Driver, dsn string) (c driver.Connector, err error) {
	if ended := contain(func() { c, err = d.OpenConnector(dsn) }); ended != nil {
		return nil, fmt.Errorf("driver %s: open: %w", name, ended)
	}
	if err != nil {
		return nil, fmt.Errorf("driver %s: open: %w", name, err)
	}
	if isNil(c) {
		// database/sql would find out at the first query, by a panic.
		return nil, fmt.Errorf("driver %s: open: OpenConnector returned neither a connector nor an error", name)
	}
	return c, nil
}

// use returns the driver that the lanes of a version share. Its code runs under
// no lock, as it may take its time.
func (ls *lanes) use(d *Driver[contract.Driver]) (*instance, error) {
	ls.mu.Lock()
	inst, ok := ls.instances[d]
	if !ok {
		inst = &instance{of: d}
		ls.instances[d] = inst
	}
	inst.lanes++
	ls.mu.Unlock()
	inst.once.Do(func() { inst.value, inst.err = ls.newDriver(d) })
	if inst.err != nil {
		ls.release(inst)
		return nil, inst.err
	}
	return inst, nil
}

func (ls *lanes) newDriver(d *Driver[contract.Driver]) (contract.Driver, error) {
	value, _, err := callNewDriver(d.New)
	if err != nil {
		return nil, ofDriver(d.Manifest.Name, err)
	}
	if err := giveLogger(value, ls.logger); err != nil {
		shutDown(ls.log, d.Manifest, value)
		return nil, ofDriver(d.Manifest.Name, err)
	}
	return value, nil
}

// release gives up one use of an instance; after the last one the driver is
// shut down.
func (ls *lanes) release(inst *instance) {
	ls.mu.Lock()
	inst.lanes--
	last := inst.lanes == 0
	if last {
		delete(ls.instances, inst.of)
	}
	ls.mu.Unlock()
	if last && inst.err == nil {
		shutDown(ls.log, inst.of.Manifest, inst.value)
	}
}

// shutdownTime is how long a driver may take to shut down before it is left to
// itself.
var shutdownTime = 30 * time.Second

// shutDown ends a driver that nothing uses any more.
func shutDown(log *slog.Logger, m contract.Manifest, value any) {
	s, ok := value.(contract.Shutdowner)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		var err error
		if panicked := contain(func() { err = s.Shutdown(ctx) }); panicked != nil {
			err = panicked
		}
		ended <- err
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done(): // whether it minds that or not
		err = ctx.Err()
	}
	if err != nil {
		log.Warn("driver did not shut down", "driver", m.Name, "version", m.Version, "error", err)
	}
}

// enter begins a connection attempt, unless the lane is retired.
func (l *lane) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired.Load() {
		return false
	}
	l.connecting++
	return true
}

// connect ends what enter began. It reports current as false if the lane was
// retired meanwhile; a connection is closed then. The driver's panics go on to the
// caller, as they would without the lane.
func (l *lane) connect(ctx context.Context) (_ driver.Conn, current bool, err error) {
	defer l.endIfDrained()
	defer func() { // not before, or the driver could be shut down meanwhile
		l.mu.Lock()
		defer l.mu.Unlock()
		l.connecting--
	}()
	c, err := l.connector.Connect(ctx)
	if err != nil || c == nil { // as database/sql would get it
		return nil, !l.retired.Load(), err
	}
	if wrapped := l.keep(c); wrapped != nil {
		return wrapped, true, nil
	}
	_ = c.Close()
	return nil, false, nil
}

// keep wraps a connection and counts it, or returns nil if the lane is retired.
func (l *lane) keep(c driver.Conn) driver.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired.Load() {
		return nil
	}
	wrapped, following := wrapConn(l, c)
	l.conns[following] = struct{}{}
	l.inst.of.use.connections.Add(1)
	return wrapped
}

// forget takes a connection off that was closed.
func (l *lane) forget(c *followConn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	l.inst.of.use.connections.Add(-1)
	l.endIfDrained()
}

// retire lets no new connection begin, and takes the idle ones out of the pool,
// if it is told which. Those in use are closed when they are given back.
func (l *lane) retire(db *sql.DB) {
	if l.retiring.Swap(true) {
		return
	}
	l.all.mu.Lock()
	l.all.leaving[l] = true // before it can drain
	l.all.mu.Unlock()
	l.mu.Lock()
	l.retired.Store(true)
	l.mu.Unlock()
	l.endIfDrained()
	if db != nil {
		idle := l.takeIdle(db)
		go l.sweep(db, idle)
	}
}

// endIfDrained gives back what a retired lane holds once nothing uses it.
func (l *lane) endIfDrained() {
	l.mu.Lock()
	ended := l.retired.Load() && l.connecting == 0 && len(l.conns) == 0 && l.conns != nil
	if ended {
		l.conns = nil // once
	}
	l.mu.Unlock()
	if !ended {
		return
	}
	// database/sql holds locks of its own while it closes a connection, and a
	// driver may take its time.
	go func() {
		l.closeConnector()
		l.all.release(l.inst)
		if l.counted {
			l.inst.of.use.lanes.Add(-1)
		}
		l.all.mu.Lock()
		delete(l.all.leaving, l)
		l.all.mu.Unlock()
		close(l.drained)
	}()
}

func (l *lane) closeConnector() {
	closer, ok := l.connector.(io.Closer)
	if !ok {
		return
	}
	var err error
	if ended := contain(func() { err = closer.Close() }); ended != nil {
		err = ended
	}
	if err != nil {
		l.all.log.Warn("connector did not close", "driver", l.inst.of.Manifest.Name, "version", l.inst.of.Manifest.Version, "error", err)
	}
}

// Drain waits until no version that is not current any more has a connection,
// their drivers have been shut down, and after [Loader.Close] no version at all. The
// error is nil or ctx.Err().
func (s *SQL) Drain(ctx context.Context) error {
	for {
		l := s.lanes.anyLeaving()
		if l == nil {
			return nil
		}
		select {
		case <-l.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (ls *lanes) anyLeaving() *lane {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for l := range ls.leaving {
		return l
	}
	return nil
}

// Close makes the loader give nothing any more: Load, OpenDB and all that change
// something return [ErrClosed], and so does a *sql.DB of this loader that needs a
// connection. Idle connections are closed now, those in use when they are given
// back; see [SQL.Drain]. Drivers that the loader has handed out (Driver.Value)
// are shut down, for which Close waits 30 seconds at most; what else was made
// from them must be closed before. Later calls return nil at once.
func (l *Loader[D]) Close() error {
	var wg sync.WaitGroup
	for _, d := range l.drivers.close() {
		wg.Go(func() { shutDown(l.log, d.Manifest, d.Value) })
	}
	wg.Wait()
	return nil
}
