package loader

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

// errNoneIdle is what the sweeper gets in the place of a new connection.
var errNoneIdle = errors.New("no connection is idle")

// sweepKey marks the context of a sweeper.
type sweepKey struct{}

func sweeping(ctx context.Context) bool { return ctx.Value(sweepKey{}) != nil }

// A sweep begins at once, and again after a while for what was given back
// meanwhile, which takes only a moment; then more and more seldom, for a
// connection that was never used.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = 5 * time.Second
)

// sweep makes a pool close the idle connections of a retired lane, until it is
// drained.
//
// Only the pool may close them: it may be closing a statement of such a
// connection at any time. It has no way to ask for that, so the sweeper takes
// idle connections out as anybody does, and gives those of the lane back as bad.
// Those of other lanes it holds until it is through, or it would get the same
// one again.
func (l *lane) sweep(db *sql.DB) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if l.hasIdle() && !l.sweepOnce(db) {
			return
		}
		select {
		case <-l.drained:
			return
		case <-time.After(pause):
		}
	}
}

// sweepOnce reports false if the pool is closed: then it closes what it has
// itself.
func (l *lane) sweepOnce(db *sql.DB) (open bool) {
	// The pool can be at its limit with none idle by then, and let callers wait.
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), sweepKey{}, true), 100*time.Millisecond)
	defer cancel()
	for l.hasIdle() && db.Stats().Idle > 0 {
		c, err := db.Conn(ctx)
		if errors.Is(err, errNoneIdle) || errors.Is(err, context.DeadlineExceeded) {
			return true
		}
		if err != nil {
			return false
		}
		defer c.Close()
		_ = c.Raw(func(raw any) error {
			if f, ok := raw.(interface{ common() *followConn }); ok && f.common().lane == l {
				return driver.ErrBadConn
			}
			return nil
		})
	}
	return true
}

// hasIdle tells whether the pool may have a connection of the lane that nobody
// uses.
func (l *lane) hasIdle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.idle.Load() {
			return true
		}
	}
	return false
}

// handover is how long after a lane was retired a connection can be on its way
// from one caller to the next, with plenty to spare.
const handover = 100 * time.Millisecond

// scarce tells whether a retired lane's connection must do once more. A pool
// that makes callers wait hands connections from one to the next, and the third
// time that database/sql gets a bad one it returns driver.ErrBadConn to the
// caller. That can only happen to those who waited, and who were refused twice
// before.
func (l *lane) scarce() bool {
	if l.pool == nil { // how full it is, is not known
		return l.refused.Load() >= 2 && time.Since(l.retiredAt) < handover
	}
	s := l.pool.Stats()
	return s.MaxOpenConnections > 0 && s.WaitCount > 0
}
