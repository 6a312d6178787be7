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
		c, err := l.connector.Connect(ctx)
		wrapped, ok := l.connected(c, err)
		if !ok && ctx.Err() == nil {
			continue // the lane was retired meanwhile, and its connection is gone
		}
		if err == nil && wrapped == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		return wrapped, nil
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
	if f.closed.Swap(true) {
		return nil
	}
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
		old := f.lane.Swap(next)
		if old != nil {
			old.retire(f.db)
		}
		if f.closed.Load() { // while this was prepared
			f.retire()
		}
	}
	return move, func() { next.retire(nil) }, nil
}

// retire implements follower.
func (f *following) retire() {
	if l := f.lane.Swap(nil); l != nil {
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
	value contract.Driver
	lanes int // protected by lanes.mu
}

// lane is a DSN in use with a version of a driver.
type lane struct {
	all       *lanes
	inst      *instance
	connector driver.Connector
	drained   chan struct{} // closed when it was retired and nothing is left

	retired   atomic.Bool  // written under mu, after the next two
	pool      *sql.DB      // whose connections they are, or nil
	retiredAt time.Time    // when it was retired
	refused   atomic.Int64 // uses of connections since

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
	d.use.lanes.Add(1)
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

// use returns the driver that the lanes of a version share.
func (ls *lanes) use(d *Driver[contract.Driver]) (*instance, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	inst, ok := ls.instances[d]
	if !ok {
		value, _, err := callNewDriver(d.New)
		if err == nil {
			err = giveLogger(value, ls.logger)
		}
		if err != nil {
			return nil, ofDriver(d.Manifest.Name, err)
		}
		inst = &instance{of: d, value: value}
		ls.instances[d] = inst
	}
	inst.lanes++
	return inst, nil
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
	if last {
		shutDown(ls.log, inst.of.Manifest.Name, inst.of.Manifest.Version, inst.value)
	}
}

// shutdownTime is how long a driver may take to shut down before it is left to
// itself.
const shutdownTime = 30 * time.Second

// shutDown ends a driver that nothing uses any more.
func shutDown(log *slog.Logger, name, version string, value any) {
	s, ok := value.(contract.Shutdowner)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	var err error
	if ended := contain(func() { err = s.Shutdown(ctx) }); ended != nil {
		err = ended
	}
	if err != nil {
		log.Warn("driver did not shut down", "driver", name, "version", version, "error", err)
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

// connected ends an attempt. It reports false if the lane was retired
// meanwhile; a connection is closed then.
func (l *lane) connected(c driver.Conn, err error) (driver.Conn, bool) {
	l.mu.Lock()
	if !l.retired.Load() {
		defer l.mu.Unlock()
		l.connecting--
		if err != nil || c == nil { // as database/sql would get it
			return nil, true
		}
		wrapped, following := wrapConn(l, c)
		l.conns[following] = struct{}{}
		l.inst.of.use.connections.Add(1)
		return wrapped, true
	}
	l.mu.Unlock()
	if err == nil && c != nil {
		_ = c.Close()
	}
	l.mu.Lock()
	l.connecting-- // not before, or the driver could be shut down meanwhile
	l.mu.Unlock()
	l.endIfDrained()
	return nil, false
}

// forget takes a connection off that was closed.
func (l *lane) forget(c *followConn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	l.inst.of.use.connections.Add(-1)
	l.endIfDrained()
}

// retire lets no new connection begin, has the idle ones closed if it is told
// whose they are, and leaves the others to be closed when they are given back
// or next looked at.
func (l *lane) retire(db *sql.DB) {
	l.mu.Lock()
	if l.retired.Load() {
		l.mu.Unlock()
		return
	}
	l.pool, l.retiredAt = db, time.Now()
	l.retired.Store(true)
	l.mu.Unlock()
	l.all.mu.Lock()
	l.all.leaving[l] = true
	l.all.mu.Unlock()
	l.endIfDrained()
	if db != nil {
		go l.sweep(db)
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
		if closer, ok := l.connector.(io.Closer); ok {
			if err := closer.Close(); err != nil {
				l.all.log.Warn("connector did not close", "driver", l.inst.of.Manifest.Name, "version", l.inst.of.Manifest.Version, "error", err)
			}
		}
		l.all.release(l.inst)
		l.inst.of.use.lanes.Add(-1)
		l.all.mu.Lock()
		delete(l.all.leaving, l)
		l.all.mu.Unlock()
		close(l.drained)
	}()
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
		wg.Go(func() { shutDown(l.log, d.Manifest.Name, d.Manifest.Version, d.Value) })
	}
	wg.Wait()
	return nil
}
