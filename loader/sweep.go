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

// There is a sweep at once, and again after a while for what was given back
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
func (l *lane) sweep(db *sql.DB, idle []*sql.Conn) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		for _, c := range idle {
			// The driver's code runs here, and nobody could recover its panic.
			if ended := contain(func() { discard(c) }); ended != nil {
				l.all.log.Warn("connection did not close", "driver", l.inst.of.Manifest.Name, "version", l.inst.of.Manifest.Version, "error", ended)
			}
		}
		select {
		case <-l.drained:
			return
		case <-time.After(pause):
		}
		idle = l.takeIdle(db)
	}
}

// discard gives a connection back as bad, so that the pool closes it.
func discard(c *sql.Conn) {
	_ = c.Raw(func(any) error { return driver.ErrBadConn })
}

// takeIdle takes the idle connections of the lane out of a pool. Those of other
// lanes it holds until it is through, or it would get the same one again. None of
// the driver's code runs, except IsValid of the others.
func (l *lane) takeIdle(db *sql.DB) (mine []*sql.Conn) {
	// The pool can be at its limit with none idle by then, and let callers wait.
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), sweepKey{}, true), 100*time.Millisecond)
	defer cancel()
	var others []*sql.Conn
	for len(mine) < l.idle() && db.Stats().Idle > 0 {
		c, err := db.Conn(ctx)
		if err != nil {
			break // there is none, or the pool is closed
		}
		ours := false
		_ = c.Raw(func(raw any) error {
			f, ok := raw.(interface{ common() *followConn })
			ours = ok && f.common().lane == l
			return nil
		})
		if ours {
			mine = append(mine, c)
		} else {
			others = append(others, c)
		}
	}
	for _, c := range others {
		_ = contain(func() { _ = c.Close() })
	}
	return mine
}

// idle counts the connections of the lane that the pool may have.
func (l *lane) idle() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.idle.Load() {
			n++
		}
	}
	return n
}
