package loader

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
)

// What a driver does wrong must not end the process, nor hold up others.

// panicky is a connector that panics where it is told to.
type panicky struct {
	pondConnector
	connect, close bool
}

func (c *panicky) Connect(ctx context.Context) (driver.Conn, error) {
	if c.connect {
		panic("in Connect")
	}
	return c.pondConnector.Connect(ctx)
}

func (c *panicky) Close() error {
	if c.close {
		panic("in Close")
	}
	return nil
}

func TestConnectorPanics(t *testing.T) {
	p := &pond{version: "1.0.0"}
	for name, c := range map[string]*panicky{"Connect": {connect: true}, "Close": {close: true}} {
		t.Run(name, func(t *testing.T) {
			c.p = p
			name := register(t, func() contract.Driver {
				return fakeDriver{open: func(string) (driver.Connector, error) { return c, nil }}
			}, "1.0.0")
			s, err := New(Config{})
			require.NoError(t, err)
			db, err := s.OpenDB(t.Context(), name, "dsn")
			require.NoError(t, err)
			if c.connect {
				require.Panics(t, func() { _ = db.Ping() }, "as without the loader")
			} else {
				require.NoError(t, db.Ping())
			}
			require.NoError(t, s.Close())
			_ = db.Close()
			drained(t, s)
		})
	}
}

func TestShutdownThatHangs(t *testing.T) {
	defer func(was time.Duration) { shutdownTime = was }(shutdownTime)
	shutdownTime = 10 * time.Millisecond
	forever := make(chan struct{})
	defer close(forever)
	p := &pond{version: "1.0.0"}
	name := register(t, func() contract.Driver {
		d := p.make().(fakeDriver)
		d.down = func(context.Context) error { <-forever; return nil }
		return d
	}, "1.0.0")
	s, err := New(Config{})
	require.NoError(t, err)
	db, err := s.OpenDB(t.Context(), name, "dsn")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	drained(t, s)
	require.NoError(t, s.Close())
}

// A driver that takes its time to open a connector holds up nobody else.
func TestOpenConnectorThatHangs(t *testing.T) {
	forever, began := make(chan struct{}), make(chan struct{})
	defer close(forever)
	slow := register(t, func() contract.Driver {
		return fakeDriver{open: func(string) (driver.Connector, error) {
			close(began)
			<-forever
			return nil, os.ErrClosed
		}}
	}, "1.0.0")
	p := &pond{version: "1.0.0"}
	quick := register(t, p.make, "1.0.0")
	s, err := New(Config{})
	require.NoError(t, err)
	go s.OpenDB(context.Background(), slow, "dsn")
	<-began
	db, err := s.OpenDB(t.Context(), quick, "dsn")
	require.NoError(t, err)
	require.Equal(t, "1.0.0", versionOf(t, db))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = s.OpenDB(ctx, slow, "other")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, db.Close())
	require.NoError(t, s.Close())
}

// The last connection can be closed while its version is retired.
func TestRetireRacesWithTheLastClose(t *testing.T) {
	s, name, _, _ := twoPonds(t)
	for range 300 {
		db, err := s.OpenDB(t.Context(), name, "dsn")
		require.NoError(t, err)
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() { _ = conn.Close() })
		wg.Go(func() { _ = db.Close() })
		wg.Wait()
	}
	drained(t, s)
}

// A pool at its limit hands connections from one caller to the next. Nobody gets
// an error from a version that changes meanwhile, with and without a sweep.
func TestPoolAtItsLimit(t *testing.T) {
	s, name, one, two := twoPonds(t)
	c, err := s.Connector(t.Context(), name, "dsn")
	require.NoError(t, err)
	swept, err := s.OpenDB(t.Context(), name, "dsn")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, db := range []*sql.DB{sql.OpenDB(c), swept} {
		defer db.Close()
		db.SetMaxOpenConns(2)
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					var v string
					if err := db.QueryRow("version").Scan(&v); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	for i := 0; ctx.Err() == nil; i++ {
		_, err := s.Pin(t.Context(), name, []string{"2.0.0", "1.0.0"}[i%2])
		require.NoError(t, err)
	}
	wg.Wait()
	require.Zero(t, one.closedWhileUsed.Load()+two.closedWhileUsed.Load())
}

// Files are looked at, fail and are listed at the same time.
func TestShelfUnderLoad(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"one.so", "two-v1.0.0.so"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte("no driver"), 0o644))
	}
	s, err := New(Config{Dirs: []string{dir}})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for _, f := range []func(){
		func() { _, _ = s.Load(ctx, "one") },
		func() { _, _ = s.Refresh(ctx) },
		func() { _, _ = s.OpenURL(ctx, "nobody:x") },
		func() {
			for _, d := range s.Drivers() {
				_ = d.Err.Error()
			}
		},
	} {
		wg.Go(func() {
			for ctx.Err() == nil {
				f()
			}
		})
	}
	wg.Wait()
	require.Len(t, s.Drivers(), 2)
}
