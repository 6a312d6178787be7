package hotupdate

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/loader"
)

// nothing is a driver that does nothing, quickly: what is left is the pool.
type nothing struct{ _ byte }

func (*nothing) Name() string                                     { return "nothing" }
func (n *nothing) OpenConnector(string) (driver.Connector, error) { return n, nil }
func (n *nothing) Connect(context.Context) (driver.Conn, error)   { return &nothingConn{}, nil }
func (n *nothing) Driver() driver.Driver                          { return nothingDriver{} }

type nothingDriver struct{}

func (nothingDriver) Open(string) (driver.Conn, error) { return nil, errors.ErrUnsupported }

type nothingConn struct{ _ byte }

func (*nothingConn) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }
func (*nothingConn) Begin() (driver.Tx, error)           { return nil, errors.ErrUnsupported }
func (*nothingConn) Close() error                        { return nil }
func (*nothingConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), nil
}

// A pool at its limit hands connections from caller to caller, and database/sql
// does not try for ever to get one that is good.
func TestScarceConnections(t *testing.T) {
	const name = "nothing"
	versions := []string{register(t, name), register(t, name)}
	drivers := newLoader(t, loader.Config{})
	db, err := drivers.OpenDB(t.Context(), name, "")
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var calls, failed atomic.Int64
	for range 16 {
		wg.Go(func() {
			for ctx.Err() == nil && failed.Load() == 0 {
				if _, err := db.Exec("nothing"); err != nil && failed.Add(1) == 1 {
					t.Error(err)
				}
				calls.Add(1)
			}
		})
	}
	updates := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end) && failed.Load() == 0; updates++ {
		_, err := drivers.Pin(t.Context(), name, versions[updates%2])
		require.NoError(t, err)
	}
	stop()
	wg.Wait()
	t.Logf("%d calls, %d updates", calls.Load(), updates)
}
