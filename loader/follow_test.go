package loader

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
)

// pond is a driver whose queries answer with its version, and which counts.
type pond struct {
	version         string
	refuses         string // a DSN
	open, shut      atomic.Int64
	connectorsOpen  atomic.Int64
	closedWhileUsed atomic.Int64
}

// make is NewDriver.
func (p *pond) make() contract.Driver {
	return fakeDriver{
		open: func(dsn string) (driver.Connector, error) {
			if p.refuses != "" && dsn == p.refuses {
				return nil, fmt.Errorf("that DSN %s is not for me", dsn)
			}
			p.connectorsOpen.Add(1)
			return &pondConnector{p: p}, nil
		},
		down: func(context.Context) error {
			p.shut.Add(1)
			return nil
		},
	}
}

type pondConnector struct{ p *pond }

func (c *pondConnector) Connect(context.Context) (driver.Conn, error) {
	c.p.open.Add(1)
	return &pondConn{p: c.p}, nil
}
func (c *pondConnector) Driver() driver.Driver { return nil }
func (c *pondConnector) Close() error          { c.p.connectorsOpen.Add(-1); return nil }

// pondConn tells of calls that overlap, or come after Close.
type pondConn struct {
	p      *pond
	busy   atomic.Bool
	closed atomic.Bool
}

func (c *pondConn) use() func() {
	if c.busy.Swap(true) || c.closed.Load() {
		c.p.closedWhileUsed.Add(1)
	}
	return func() { c.busy.Store(false) }
}

func (c *pondConn) Prepare(string) (driver.Stmt, error) {
	defer c.use()()
	return &pondStmt{c}, nil
}
func (c *pondConn) Begin() (driver.Tx, error) { defer c.use()(); return pondTx{c}, nil }
func (c *pondConn) Close() error {
	defer c.use()()
	if !c.closed.Swap(true) {
		c.p.open.Add(-1)
	}
	return nil
}
func (c *pondConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	defer c.use()()
	return &pondRows{c: c}, nil
}

type pondTx struct{ c *pondConn }

func (t pondTx) Commit() error   { defer t.c.use()(); return nil }
func (t pondTx) Rollback() error { defer t.c.use()(); return nil }

type pondStmt struct{ c *pondConn }

func (s *pondStmt) Close() error {
	if !s.c.closed.Load() { // a connection closes its statements
		defer s.c.use()()
	}
	return nil
}
func (s *pondStmt) NumInput() int { return 0 }
func (s *pondStmt) Exec([]driver.Value) (driver.Result, error) {
	defer s.c.use()()
	return driver.ResultNoRows, nil
}
func (s *pondStmt) Query([]driver.Value) (driver.Rows, error) {
	defer s.c.use()()
	return &pondRows{c: s.c}, nil
}

// pondRows are three rows with the version.
type pondRows struct {
	c *pondConn
	n int
}

func (r *pondRows) Columns() []string { return []string{"version"} }
func (r *pondRows) Close() error      { return nil }
func (r *pondRows) Next(dest []driver.Value) error {
	defer r.c.use()()
	if r.n++; r.n > 3 {
		return io.EOF
	}
	dest[0] = r.c.p.version
	return nil
}

// twoPonds registers two versions of one driver, and opens a loader that is at
// the first.
func twoPonds(t *testing.T) (s *SQL, name string, one, two *pond) {
	t.Helper()
	one, two = &pond{version: "1.0.0"}, &pond{version: "2.0.0"}
	name = register(t, one.make, one.version)
	registerAs(t, name, two.version, two.make)
	s, err := New(Config{})
	require.NoError(t, err)
	_, err = s.Pin(t.Context(), name, "1.0.0")
	require.NoError(t, err)
	s.Unpin(name)
	return s, name, one, two
}

func versionOf(t *testing.T, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) string {
	t.Helper()
	var v string
	require.NoError(t, q.QueryRowContext(t.Context(), "version").Scan(&v))
	return v
}

func drained(t *testing.T, s *SQL) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, s.Drain(ctx))
}

func TestDatabaseFollowsTheCurrentVersion(t *testing.T) {
	s, name, one, two := twoPonds(t)
	db, err := s.OpenDB(t.Context(), name, "dsn")
	require.NoError(t, err)
	defer db.Close()
	stmt, err := db.Prepare("version")
	require.NoError(t, err)
	require.Equal(t, "1.0.0", versionOf(t, db))

	// In use: a transaction, a session, half-read rows. Idle: one more.
	tx, err := db.Begin()
	require.NoError(t, err)
	session, err := db.Conn(t.Context())
	require.NoError(t, err)
	rows, err := db.Query("version")
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.Equal(t, "1.0.0", versionOf(t, db))
	require.EqualValues(t, 4, one.open.Load())

	changes, err := s.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Change{{Name: name, From: "1.0.0", To: "2.0.0"}}, changes)

	// The idle one is closed though nobody asks for it.
	require.Eventually(t, func() bool { return one.open.Load() == 3 }, 5*time.Second, time.Millisecond)
	require.Equal(t, "2.0.0", versionOf(t, db))
	var v string
	require.NoError(t, stmt.QueryRow().Scan(&v))
	require.Equal(t, "2.0.0", v)
	// What is in use goes on with what it has.
	require.Equal(t, "1.0.0", versionOf(t, tx))
	require.Equal(t, "1.0.0", versionOf(t, session))
	require.True(t, rows.Next())
	require.Equal(t, map[string]State{"1.0.0": Retiring, "2.0.0": Current}, states(s, name))
	require.Equal(t, 3, s.Drivers()[indexOf(s, name, "1.0.0")].Connections)
	require.Zero(t, one.shut.Load())

	require.NoError(t, tx.Commit())
	require.NoError(t, session.Close())
	require.NoError(t, rows.Close())
	drained(t, s)
	require.Zero(t, one.open.Load())
	require.Zero(t, one.connectorsOpen.Load())
	require.EqualValues(t, 1, one.shut.Load())
	require.Equal(t, map[string]State{"1.0.0": Loaded, "2.0.0": Current}, states(s, name))
	require.Zero(t, one.closedWhileUsed.Load()+two.closedWhileUsed.Load())
}

func states(s *SQL, name string) map[string]State {
	m := map[string]State{}
	for _, d := range s.Drivers() {
		if d.Name == name {
			m[d.Version] = d.State
		}
	}
	return m
}

func indexOf(s *SQL, name, version string) int {
	for i, d := range s.Drivers() {
		if d.Name == name && d.Version == version {
			return i
		}
	}
	return -1
}

// Without the *sql.DB there is no sweep; the pool drops what it is given back.
func TestConnectorFollowsTheCurrentVersion(t *testing.T) {
	s, name, one, _ := twoPonds(t)
	c, err := s.Connector(t.Context(), name, "dsn")
	require.NoError(t, err)
	db := sql.OpenDB(c)
	defer db.Close()
	tx, err := db.Begin()
	require.NoError(t, err)
	require.Equal(t, "1.0.0", versionOf(t, db))
	_, err = s.Refresh(t.Context())
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	require.EqualValues(t, 1, one.open.Load(), "what was given back is closed")
	require.Equal(t, "1.0.0", versionOf(t, db), "what was idle serves once more")
	require.Zero(t, one.open.Load())
	require.Equal(t, "2.0.0", versionOf(t, db))
	drained(t, s)
}

// Statements of idle connections are closed at any time: the sweep must not
// close a connection under the pool's feet.
func TestSweepDoesNotRaceWithThePool(t *testing.T) {
	s, name, one, two := twoPonds(t)
	db, err := s.OpenDB(t.Context(), name, "dsn")
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxIdleConns(8)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				stmt, err := db.Prepare("version")
				if err == nil {
					var v string
					err = errors.Join(stmt.QueryRow().Scan(&v), stmt.Close())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 40 {
		_, err := s.Pin(t.Context(), name, []string{"2.0.0", "1.0.0"}[i%2])
		require.NoError(t, err)
		time.Sleep(time.Duration(rand.IntN(4)) * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	drained(t, s)
	require.Zero(t, one.closedWhileUsed.Load()+two.closedWhileUsed.Load())
	require.Zero(t, two.open.Load())
}

func TestVersionThatADatabaseCannotUse(t *testing.T) {
	s, name, one, two := twoPonds(t)
	two.refuses = "special"
	db, err := s.OpenDB(t.Context(), name, "special")
	require.NoError(t, err)
	defer db.Close()
	other, err := s.OpenDB(t.Context(), name, "dsn")
	require.NoError(t, err)
	defer other.Close()

	changes, err := s.Refresh(t.Context())
	require.Empty(t, changes)
	le := refused(t, err, StageRegister)
	require.Equal(t, "a version that every open database can use", le.Wanted)
	require.NotContains(t, err.Error(), "special", "a driver may quote the DSN")
	require.ErrorContains(t, le.Err, "that DSN special is not for me")
	require.Equal(t, "1.0.0", versionOf(t, db))
	require.Equal(t, "1.0.0", versionOf(t, other))
	require.Equal(t, map[string]State{"1.0.0": Current, "2.0.0": Failed}, states(s, name))
	drained(t, s)
	require.Zero(t, two.connectorsOpen.Load(), "what was made ready is given up")

	_, err = s.Pin(t.Context(), name, "2.0.0")
	refused(t, err, StageRegister)
	require.False(t, s.Drivers()[indexOf(s, name, "2.0.0")].Pinned)
	// The databases are asked again each time.
	_, err = s.Refresh(t.Context())
	refused(t, err, StageRegister)
	require.NoError(t, db.Close())
	changes, err = s.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Change{{Name: name, From: "1.0.0", To: "2.0.0"}}, changes)
	require.Equal(t, "2.0.0", versionOf(t, other))
	require.EqualValues(t, 0, one.closedWhileUsed.Load())
}

func TestRollbackAndPin(t *testing.T) {
	s, name, _, _ := twoPonds(t)
	db, err := s.OpenDB(t.Context(), name, "dsn")
	require.NoError(t, err)
	defer db.Close()
	_, err = s.Rollback(t.Context(), name)
	require.Equal(t, "none", refused(t, err, StageRegister).Found)

	_, err = s.Refresh(t.Context())
	require.NoError(t, err)
	d, err := s.Rollback(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, "1.0.0", d.Manifest.Version)
	require.Equal(t, "1.0.0", versionOf(t, db))
	require.True(t, s.Drivers()[indexOf(s, name, "2.0.0")].RolledBack)

	// The one that was left is not taken up again, a higher one is.
	changes, err := s.Refresh(t.Context())
	require.NoError(t, err)
	require.Empty(t, changes)
	_, err = s.Rollback(t.Context(), name)
	refused(t, err, StageRegister)
	three := &pond{version: "3.0.0"}
	registerAs(t, name, three.version, three.make)
	changes, err = s.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Change{{Name: name, From: "1.0.0", To: "3.0.0"}}, changes)
	require.Equal(t, "3.0.0", versionOf(t, db))

	_, err = s.Pin(t.Context(), name, "2.0.0")
	require.NoError(t, err)
	require.Equal(t, "2.0.0", versionOf(t, db))
	require.True(t, s.Drivers()[indexOf(s, name, "2.0.0")].Pinned)
	require.False(t, s.Drivers()[indexOf(s, name, "2.0.0")].RolledBack)
	changes, err = s.Refresh(t.Context())
	require.NoError(t, err)
	require.Empty(t, changes)
	_, err = s.Pin(t.Context(), name, "4.0.0")
	le := refused(t, err, StageFind)
	require.Equal(t, "version 4.0.0, which is pinned", le.Wanted)
	require.Equal(t, "2.0.0", versionOf(t, db), "what cannot be pinned changes nothing")

	s.Unpin(name)
	changes, err = s.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Change{{Name: name, From: "2.0.0", To: "3.0.0"}}, changes)
}

func TestCloseWhileQueriesRun(t *testing.T) {
	s, name, one, _ := twoPonds(t)
	d, err := s.Load(t.Context(), name)
	require.NoError(t, err)
	db, err := s.OpenDB(t.Context(), name, "dsn")
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.Query("version")
	require.NoError(t, err)
	require.Equal(t, "1.0.0", versionOf(t, db)) // on another connection

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.EqualValues(t, 1, one.shut.Load(), "Driver.Value")
	for rows.Next() {
		var v string
		require.NoError(t, rows.Scan(&v))
		require.Equal(t, "1.0.0", v)
	}
	require.NoError(t, rows.Err())
	drained(t, s)
	require.Zero(t, one.open.Load())
	require.EqualValues(t, 2, one.shut.Load())

	require.ErrorIs(t, db.Ping(), ErrClosed)
	_, err = s.Load(t.Context(), name)
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.OpenDB(t.Context(), name, "dsn")
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.LoadFile(t.Context(), "/nonexistent.so")
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.Refresh(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.Pin(t.Context(), name, "2.0.0")
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, s.Watch(t.Context()), ErrClosed)
	require.NotNil(t, d.Value)
	require.NotEmpty(t, s.Drivers())
	_, err = db.Driver().Open("")
	require.ErrorIs(t, err, ErrClosed)
}

func TestHammer(t *testing.T) {
	before := runtime.NumGoroutine()
	s, name, one, two := twoPonds(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	repeat := func(n int, f func() error) {
		for range n {
			wg.Go(func() {
				for ctx.Err() == nil {
					if err := f(); err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	shared, err := s.OpenDB(t.Context(), name, "dsn")
	require.NoError(t, err)
	repeat(2, func() error { _, err := s.Load(ctx, name); return err })
	repeat(1, func() error { _, err := s.Refresh(ctx); return err })
	repeat(1, func() error {
		_, err := s.Rollback(ctx, name)
		if le, ok := errors.AsType[*LoadError](err); ok && le.Found == "none" {
			return nil
		}
		return err
	})
	repeat(2, func() error { _, err := s.Pin(ctx, name, []string{"1.0.0", "2.0.0"}[rand.IntN(2)]); return err })
	repeat(1, func() error { s.Unpin(name); return nil })
	repeat(1, func() error {
		if len(s.Drivers()) == 0 {
			return errors.New("no drivers")
		}
		return nil
	})
	ask := func(db *sql.DB) error {
		var v string
		return db.QueryRowContext(ctx, "version").Scan(&v)
	}
	repeat(3, func() error { return ask(shared) })
	repeat(3, func() error {
		db, err := s.OpenDB(ctx, name, "dsn")
		if err != nil {
			return err
		}
		return errors.Join(ask(db), db.Close())
	})
	wg.Wait()
	require.NoError(t, shared.Close())
	require.NoError(t, s.Close())
	drained(t, s)
	for _, p := range []*pond{one, two} {
		require.Zero(t, p.open.Load())
		require.Zero(t, p.connectorsOpen.Load())
		require.Zero(t, p.closedWhileUsed.Load())
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, 5*time.Second, 10*time.Millisecond)
}

func TestConcurrentCallersWaitForOneLoad(t *testing.T) {
	var made atomic.Int64
	started, proceed := make(chan struct{}), make(chan struct{})
	name := register(t, func() contract.Driver {
		if made.Add(1) == 1 {
			close(started)
			<-proceed
		}
		return fakeDriver{}
	}, "1.0.0")
	s, err := New(Config{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	got := make([]*Driver[contract.Driver], 10)
	for i := range got {
		wg.Go(func() {
			d, err := s.Load(t.Context(), name)
			if err != nil {
				t.Error(err)
			}
			got[i] = d
		})
	}
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Load(ctx, name)
	require.ErrorIs(t, err, context.Canceled)
	close(proceed)
	wg.Wait()
	require.EqualValues(t, 1, made.Load())
	for _, d := range got {
		require.Same(t, got[0], d)
	}
}

func TestOpenURL(t *testing.T) {
	open := func(dsn string) (driver.Connector, error) { return nil, errors.New("got " + dsn) }
	d := func() contract.Driver { return fakeDriver{open: open} }
	for name, schemes := range map[string]string{"urlone": `"urlone", "shared"`, "urltwo": `"urltwo", "shared", "both"`, "both": `"both"`} {
		registerAs(t, name, "1.0.0", d, `"schemes": [`+schemes+`]`)
	}
	var out strings.Builder
	s, err := New(Config{Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	for url, want := range map[string]string{
		"urlone://u:p@h/%zz": "driver urlone: open: got urlone://u:p@h/%zz",
		"URLtwo:x":           "driver urltwo: open: got URLtwo:x",
		"both:x":             "driver both: open: got both:x",
	} {
		_, err := s.OpenURL(t.Context(), url)
		require.EqualError(t, err, want)
	}
	for url, want := range map[string]string{
		"shared://u:secret@h":  "urlone, urltwo",
		"nobody://u:secret@h":  "claims of both, shared, urlone, urltwo",
		"/just/a/secret/path":  "none",
		"":                     "none",
		"C\\secret:1 not this": "none",
	} {
		_, err := s.OpenURL(t.Context(), url)
		le, ok := errors.AsType[*LoadError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, StageFind, le.Stage)
		require.Contains(t, le.Found, want)
		require.NotContains(t, err.Error(), "secret")
	}
	require.NotContains(t, out.String(), "secret")
}

type redacting struct{ fakeDriver }

func (redacting) RedactDSN(dsn string) string { return strings.ReplaceAll(dsn, "secret", "xxx") }

func TestLogsHoldNoSecret(t *testing.T) {
	c := fakeConnector{func() driver.Conn { return &pondConn{p: &pond{}} }}
	shy := fakeDriver{open: func(string) (driver.Connector, error) { return c, nil }}
	plain := register(t, func() contract.Driver { return shy }, "1.0.0")
	registerAs(t, "redacting", "1.0.0", func() contract.Driver {
		return redacting{fakeDriver{name: "redacting", open: shy.open}}
	})
	var out strings.Builder
	s, err := New(Config{Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	for _, name := range []string{plain, "redacting"} {
		db, err := s.OpenDB(t.Context(), name, "user:secret@host")
		require.NoError(t, err)
		require.NoError(t, db.Close())
	}
	require.NotContains(t, out.String(), "secret")
	require.Contains(t, out.String(), "user:xxx@host")
	require.Contains(t, out.String(), "(not shown)")
}

func TestRegisterRefuses(t *testing.T) {
	d := func() contract.Driver { return fakeDriver{} }
	manifest := func(name, version, contract string) string {
		return fmt.Sprintf(`{"name": %q, "version": %q, "contract": {"name": "sql", "version": %q}}`, name, version, contract)
	}
	name := register(t, d, "1.0.0")
	for _, c := range []struct {
		name, manifest string
		newDriver      func() contract.Driver
		want           string
	}{
		{name, manifest(name, "2.0.0", "^1.0"), nil, "found nil"},
		{name, "{}", d, "wanted a valid manifest"},
		{"other", manifest(name, "2.0.0", "^1.0"), d, "wanted the manifest of driver other, found that of driver " + name},
		{name, manifest(name, "1.0.0", "^1.0"), d, name + " 1.0.0, which is"},
	} {
		require.ErrorContains(t, Register(c.name, c.newDriver, c.manifest), c.want)
	}
	// What it says of contract and name is told when it is loaded.
	require.NoError(t, Register("toonew", d, manifest("toonew", "1.0.0", "^9.0")))
	require.NoError(t, Register("misnamed", d, manifest("misnamed", "1.0.0", "^1.0")))
	forgetAfter(t, "toonew")
	forgetAfter(t, "misnamed")
	s, err := New(Config{Versions: map[string]string{name: "^2"}})
	require.NoError(t, err)
	_, err = s.Load(t.Context(), "toonew")
	refused(t, err, StageAgree)
	_, err = s.Load(t.Context(), "misnamed")
	refused(t, err, StageBind)
	_, err = s.Load(t.Context(), name)
	require.Equal(t, "1.0.0 (in the program)", refused(t, err, StageFind).Found)
	_, err = s.Load(t.Context(), "nobody\x00")
	require.ErrorContains(t, err, "not by a path")
	_, err = s.Load(t.Context(), "nobody")
	require.Contains(t, refused(t, err, StageFind).Found, "misnamed, ")
}
