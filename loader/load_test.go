//go:build linux

package loader

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader/inspect"
)

func load(t *testing.T, l *SQL, file string) *Driver[contract.Driver] {
	t.Helper()
	d, err := l.LoadFile(t.Context(), file)
	require.NoError(t, err)
	return d
}

func works(t *testing.T, l *SQL, d *Driver[contract.Driver], version string) {
	t.Helper()
	got, err := answer(l, d)
	require.NoError(t, err)
	require.Equal(t, version, got)
}

func TestLoadFile(t *testing.T) {
	file := install(t, good(t), "driver.so")
	l := newLoader(t, Config{})
	d := load(t, l, file)
	require.Equal(t, file, d.File)
	require.Equal(t, sumOf(t, file), d.SHA256)
	require.Equal(t, "good", d.Manifest.Name)
	require.Equal(t, "1.2.0", d.Manifest.Version)
	require.Equal(t, "plugin", d.Facts.BuildMode)
	require.Equal(t, "good", d.New().Name())
	works(t, l, d, "1.2.0")

	require.Same(t, d, load(t, l, file), "twice")
	require.Same(t, d, load(t, l, install(t, file, "another-name.so")), "a copy")
	byName, err := l.Load(t.Context(), "good")
	require.NoError(t, err)
	require.Same(t, d, byName)

	relative, err := filepath.Rel(must(os.Getwd()), file)
	require.NoError(t, err)
	require.Same(t, d, load(t, l, relative))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The runtime has one list of plugins, which loaders share whatever their
// caches, contracts and errors.
func TestLoadersShareTheProcess(t *testing.T) {
	file := install(t, good(t), "good.so")
	for range 2 {
		l := newLoader(t, Config{})
		works(t, l, load(t, l, file), "1.2.0")
	}
	plain, err := For(contract.MustDefine[interface{ Name() string }]("sql", "1.0.0"), Config{CacheDir: t.TempDir()})
	require.NoError(t, err)
	_, err = plain.LoadFile(t.Context(), file)
	require.Contains(t, refused(t, err, StageBind).Found, "method OpenConnector(string) (database/sql/driver.Connector, error) is not in the contract")
}

func TestLoadLinks(t *testing.T) {
	link := filepath.Join(t.TempDir(), "good.so")
	require.NoError(t, os.Symlink(good(t), link))
	_, err := newLoader(t, Config{}).LoadFile(t.Context(), link)
	require.Contains(t, refused(t, err, StageAdmit).Remedy, "FollowLinks")
	l := newLoader(t, Config{FollowLinks: true})
	works(t, l, load(t, l, link), "1.2.0")

	loop := filepath.Join(t.TempDir(), "loop.so")
	require.NoError(t, os.Symlink(loop, loop))
	_, err = l.LoadFile(t.Context(), loop)
	require.NotContains(t, refused(t, err, StageAdmit).Remedy, "FollowLinks")
}

// Of what is below an identity, a process has one: a second file would be bound
// to the variables of the first. Another loader knows that, too.
func TestOneFileForAVersion(t *testing.T) {
	first := fixture.Driver(t, fixture.Answering("identityone", "identity", "1.0.0"))
	second := fixture.Driver(t, fixture.Answering("identitytwo", "identity", "1.0.0"))
	load(t, newLoader(t, Config{}), first)
	_, err := newLoader(t, Config{}).LoadFile(t.Context(), second)
	le := refused(t, err, StageFit)
	require.Equal(t, "driver identity 1.0.0", le.Misfits[0].Subject)
	require.Contains(t, le.Remedy, "a version of its own")
	_, err = newLoader(t, Config{}).LoadFile(t.Context(), first)
	require.NoError(t, err)
}

// What runs is a copy: neither a replacement nor a truncation of the original
// changes it, and new content under the old path is told from it.
func TestLoadIsImmuneToChanges(t *testing.T) {
	file := install(t, good(t), "good.so")
	l := newLoader(t, Config{})
	d := load(t, l, file)
	require.NoError(t, os.Truncate(file, 100))
	works(t, l, d, "1.2.0")
	_, err := l.LoadFile(t.Context(), file)
	refused(t, err, StageInspect)

	other := patched(t, good(t), replace("not a DSN", "not a dsn"))
	require.NoError(t, os.Rename(other, file))
	works(t, l, d, "1.2.0")
	_, err = l.LoadFile(t.Context(), file)
	le := refused(t, err, StageFit)
	require.Equal(t, inspect.KindLoaded, le.Misfits[0].Kind)
	require.Equal(t, "driver good 1.2.0", le.Misfits[0].Subject)
	require.Equal(t, "good", le.Driver)
	require.Equal(t, file, le.File)
	require.Contains(t, le.Remedy, "a version of its own")
	works(t, l, d, "1.2.0")

	// With a version of its own it is known by the identity of its packages.
	newer := patched(t, good(t), replace(`"version":"1.2.0"`, `"version":"1.3.0"`))
	_, err = l.LoadFile(t.Context(), newer)
	le = refused(t, err, StageFit)
	require.Len(t, le.Misfits, 1)
	require.Equal(t, inspect.KindLoaded, le.Misfits[0].Kind)
	require.Equal(t, "identity "+d.Facts.Isolation.ID, le.Misfits[0].Subject)
	require.Contains(t, le.Found, d.SHA256[:12])
	current, ok := l.Driver("good")
	require.True(t, ok)
	require.Same(t, d, current)
}

// A file that is loaded goes on fitting, whatever is loaded after it.
func TestLaterFilesAreNoMisfits(t *testing.T) {
	noteOpening(someCandidate("earlier.so", "01", &inspect.Facts{}, contract.Manifest{Name: "earlier"}))
	noteOpening(someCandidate("this.so", "02", &inspect.Facts{}, contract.Manifest{Name: "this"}))
	noteOpening(someCandidate("later.so", "03", &inspect.Facts{}, contract.Manifest{Name: "later"}))
	names := func(sum string) (names []string) {
		for _, f := range place(sum).Loaded {
			if slices.Contains([]string{"01", "02", "03"}, f.SHA256) {
				names = append(names, f.Name)
			}
		}
		return names
	}
	require.Equal(t, []string{"earlier"}, names("02"))
	require.Equal(t, []string{"earlier", "this", "later"}, names("04"))
}

// Between stage fit and this one another loader can have opened such a file.
func TestOpenTakesEachOnce(t *testing.T) {
	for subject, taken := range map[string]inspect.Loaded{
		"driver taken 1.0.0":            {Name: "taken", Version: "1.0.0", Facts: &inspect.Facts{}},
		"identity taken_v2.0.0":         {Facts: &inspect.Facts{Isolation: &inspect.Isolation{ID: "taken_v2.0.0"}}},
		"plugin path example.com/taken": {Facts: &inspect.Facts{PluginPath: "example.com/taken"}},
	} {
		noteOpening(someCandidate("earlier.so", "0123456789abcdef", taken.Facts, contract.Manifest{Name: taken.Name, Version: taken.Version}))
		driver := *taken.Facts
		driver.Manifest = fixture.Manifest("taken", "1.0.0")
		if taken.Name == "" {
			driver.Manifest = fixture.Manifest("taken", "1.0.1")
		}
		file, err := os.Open(os.DevNull)
		require.NoError(t, err)
		_, err = open(t.Context(), &staged{path: "none.so", use: file}, someCandidate("none.so", "fedcba9876543210", &driver, contract.Manifest{}), Config{})
		var le *LoadError
		require.ErrorAs(t, err, &le)
		require.Equal(t, StageOpen, le.Stage)
		require.Equal(t, subject, le.Misfits[0].Subject)
		require.Contains(t, le.Found, "0123456789ab")
		require.NotEmpty(t, le.Remedy)
		require.ErrorIs(t, file.Close(), os.ErrClosed, "it was released")
	}
}

func TestHighestVersionBecomesCurrent(t *testing.T) {
	build := func(module, version string) string {
		return fixture.Driver(t, fixture.Answering(module, "versions", version))
	}
	one, two := build("versions1", "1.0.0"), build("versions2", "2.0.0")
	for _, order := range [][]string{{one, two}, {two, one}} {
		l := newLoader(t, Config{})
		for _, file := range order {
			load(t, l, file)
		}
		d, ok := l.Driver("versions")
		require.True(t, ok)
		works(t, l, d, "2.0.0")
		require.Equal(t, "1.0.0", load(t, l, one).Manifest.Version, "the other one stays loaded")
	}
}

func TestExamine(t *testing.T) {
	file := install(t, good(t), "good.so")
	l := newLoader(t, Config{CacheDir: filepath.Join(t.TempDir(), "staged")})
	d, err := l.Examine(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, "good", d.Manifest.Name)
	require.Equal(t, sumOf(t, file), d.SHA256)
	require.Nil(t, d.New)
	require.Nil(t, d.Value)
	_, ok := l.Driver("good")
	require.False(t, ok)
	require.NoDirExists(t, l.cfg.CacheDir)

	_, err = l.Examine(t.Context(), filepath.Join(t.TempDir(), "missing.so"))
	refused(t, err, StageAdmit)
}

func TestConcurrentLoadLoadsOnce(t *testing.T) {
	var log syncBuffer
	dir := filepath.Dir(install(t, good(t), "good.so"))
	l := newLoader(t, Config{Dirs: []string{dir}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	drivers := make([]*Driver[contract.Driver], 16)
	var wg sync.WaitGroup
	for i := range drivers {
		wg.Go(func() { drivers[i], _ = l.Load(context.Background(), "good") })
	}
	wg.Wait()
	for _, d := range drivers {
		require.NotNil(t, d)
		require.Same(t, drivers[0], d)
	}
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("driver loaded")), "%s", log.Bytes())

	_, err := l.Load(t.Context(), "missing")
	refused(t, err, StageFind)
	require.Contains(t, string(log.Bytes()), "driver not loaded")
	require.Contains(t, string(log.Bytes()), "stage=find")
}

// Loaders of one process fail with the same file at once, each with errors of
// its own.
func TestConcurrentFailures(t *testing.T) {
	source := fixture.Plain("concurrent", fixture.Manifest("concurrent", "1.0.0"), "func init() { panic(1) }\n\nfunc NewDriver() int { return 0 }")
	file := fixture.Build(t, source)
	var wg sync.WaitGroup
	for range 8 {
		l, own := newLoader(t, Config{}), install(t, file, "concurrent.so")
		wg.Go(func() {
			for range 3 {
				_, err := l.LoadFile(context.Background(), own)
				if le, ok := err.(*LoadError); !ok || le.Stage != StageOpen || le.File != own {
					t.Errorf("got %v, want an error of stage open about %s", err, own)
				}
			}
		})
	}
	wg.Wait()
}

type syncBuffer struct {
	mu sync.Mutex // protects following fields
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b.Bytes())
}

// A driver that is loaded is found while another one loads, however long.
func TestDriverTakesNoLock(t *testing.T) {
	l := newLoader(t, Config{})
	want := load(t, l, good(t))
	require.NoError(t, l.begin(t.Context()))
	defer l.end()
	l.drivers.mu.Lock()
	defer l.drivers.mu.Unlock()
	found := make(chan *Driver[contract.Driver], 2)
	go func() {
		d, _ := l.Driver("good")
		found <- d
		d, _ = l.Load(context.Background(), "good")
		found <- d
	}()
	for range 2 {
		select {
		case d := <-found:
			require.Same(t, want, d)
		case <-time.After(10 * time.Second):
			t.Fatal("it waits for a lock")
		}
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { l.Driver("good") }))
}

// A file that takes for ever holds up nobody who does not want to wait.
func TestWaitingEndsWithItsContext(t *testing.T) {
	l := newLoader(t, Config{})
	require.NoError(t, l.begin(t.Context()))
	defer l.end()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := l.LoadFile(ctx, good(t))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = l.Load(ctx, "good")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestExamineRunsNothing(t *testing.T) {
	l := newLoader(t, Config{})
	d, err := l.Examine(t.Context(), good(t))
	require.NoError(t, err)
	require.Equal(t, "good", d.Manifest.Name)
	require.Nil(t, d.New)
	_, loaded := l.Driver("good")
	require.False(t, loaded)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Examine(ctx, good(t))
	require.ErrorIs(t, err, context.Canceled)
}

// listening is a driver that takes a logger.
type listening struct{ log *slog.Logger }

func (l *listening) SetLogger(log *slog.Logger) { l.log = log }

type deaf struct{}

func (deaf) SetLogger(*slog.Logger) { panic("no") }

func TestLoggerIsHandedOn(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	d := &listening{}
	require.NoError(t, giveLogger(d, log))
	require.Same(t, log, d.log)
	require.NoError(t, giveLogger(&d, log), "a driver that takes none")
	require.NoError(t, giveLogger(deaf{}, nil), "nothing to hand on")
	require.Equal(t, "SetLogger that returns", refusedIn(t, giveLogger(deaf{}, log), StageBind).Wanted)
}

func TestOpenFaults(t *testing.T) {
	const file = "/cache/x.so"
	for text, want := range map[string]struct{ found, remedy string }{
		`plugin.Open("/cache/x"): plugin was built with a different version of package fmt`: {"plugin was built with a different version of package fmt", "drivercheck build"},
		`plugin.Open("/cache/x.so"): /cache/x.so: failed to map segment from shared object`: {"failed to map segment from shared object", "noexec"},
		`plugin.Open("/cache/x.so"): libx.so.1: cannot open shared object file: No such file or directory`: {
			"libx.so.1: cannot open shared object file: No such file or directory", "install this library"},
		`plugin.Open("/cache/x.so"): /cache/x.so: cannot enable executable stack`: {"cannot enable executable stack", "drivercheck build"},
	} {
		le := refusedIn(t, refusedByRuntime(file, errors.New(text)), StageOpen)
		require.Equal(t, want.found, le.Found)
		require.Contains(t, le.Remedy, want.remedy)
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := newLoader(t, Config{})
	_, err := l.LoadFile(ctx, good(t))
	require.ErrorIs(t, err, context.Canceled)
	_, ok := l.Driver("good")
	require.False(t, ok)
	require.NoDirExists(t, l.cfg.CacheDir)
	_, err = l.LoadFile(ctx, filepath.Join(t.TempDir(), "missing.so"))
	require.ErrorIs(t, err, context.Canceled, "the end of the context comes first")
	works(t, l, load(t, l, good(t)), "1.2.0")
}

// endsLater is a context that ends after it was asked a number of times.
type endsLater struct {
	context.Context
	asks int
}

func (c *endsLater) Err() error {
	if c.asks--; c.asks < 0 {
		return context.Canceled
	}
	return nil
}

func TestLoadEndsBeforeItRunsTheFile(t *testing.T) {
	l := newLoader(t, Config{})
	_, err := l.LoadFile(&endsLater{t.Context(), 1}, good(t))
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, l.cfg.CacheDir)
}

func TestOpenDB(t *testing.T) {
	dir := filepath.Dir(install(t, good(t), "good-v1.2.0.so"))
	l := newLoader(t, Config{Dirs: []string{dir}})
	db, err := l.OpenDB(t.Context(), "good", "dsn")
	require.NoError(t, err)
	defer db.Close()
	var version string
	require.NoError(t, db.QueryRowContext(t.Context(), "version").Scan(&version))
	require.Equal(t, "1.2.0", version)

	_, err = l.OpenDB(t.Context(), "good", "bad: secret")
	require.EqualError(t, err, "driver good: open: not a DSN")
	_, err = l.OpenDB(t.Context(), "good", "nil")
	require.EqualError(t, err, "driver good: open: OpenConnector returned neither a connector nor an error")
	_, err = l.OpenDB(t.Context(), "missing", "dsn")
	refused(t, err, StageFind)
}

func TestOpenSQLite(t *testing.T) {
	t.Parallel() // a first build takes a minute of one core
	dir := filepath.Dir(install(t, fixture.SQLite(t), "sqlite.so"))
	db, err := newLoader(t, Config{Dirs: []string{dir}}).OpenDB(t.Context(), "sqlite", ":memory:")
	require.NoError(t, err)
	defer db.Close()
	var n int
	require.NoError(t, db.QueryRowContext(t.Context(), "select 40 + 2").Scan(&n))
	require.Equal(t, 42, n)
}

// Errors are told apart by method and type, through every layer.
func TestPanicErrorUnwraps(t *testing.T) {
	cause := os.ErrDeadlineExceeded
	err := error(&LoadError{Err: &PanicError{Value: cause, Stack: []byte("stack")}})
	require.ErrorIs(t, err, cause)
	require.EqualError(t, &PanicError{Value: 7}, "panic: 7")
	require.NoError(t, (&PanicError{Value: 7}).Unwrap())
}

// someCandidate is a file that nobody has read.
func someCandidate(path, sum string, facts *inspect.Facts, m contract.Manifest) *candidate {
	return &candidate{&admitted{path: path, sum: func() string { return sum }}, facts, m}
}
