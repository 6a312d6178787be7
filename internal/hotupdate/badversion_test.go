package hotupdate

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// serving is SQLite, from a file of version 1.0.0 in a directory, under load.
type serving struct {
	*load
	updater
	dir string
}

func serve(t *testing.T, cfg loader.Config) serving {
	t.Helper()
	noFilesUnderRace(t)
	dir := t.TempDir()
	install(t, fixture.SQLite(t), dir, "sqlite-v1.0.0.so")
	cfg.Dirs, cfg.Versions = []string{dir}, map[string]string{"sqlite": "^1"}
	drivers := newLoader(t, cfg)
	db, err := drivers.OpenDB(t.Context(), "sqlite", sqliteDSN(t))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	s := serving{newLoad(t, db, false), updater{t, drivers, "sqlite"}, dir}
	s.begin(t)
	return s
}

// undisturbed checks that 1.0.0 serves as before.
func (s serving) undisturbed() {
	s.t.Helper()
	before := s.calls.Load()
	require.Eventually(s.t, func() bool { return s.calls.Load() > before+50 || s.failed() }, 30*time.Second, time.Millisecond)
	require.Equal(s.t, "1.0.0", s.current())
	s.drained()
}

// done ends the load.
func (s serving) done() {
	s.t.Helper()
	s.end(s.t)
	s.nothingLost(s.t)
}

// refused checks that a version is not taken up, and that everybody is told.
func (s serving) refused(version string, stage loader.Stage) {
	s.t.Helper()
	changes, err := s.drivers.Refresh(s.t.Context())
	require.Empty(s.t, changes)
	var le *loader.LoadError
	require.ErrorAs(s.t, err, &le)
	require.Equal(s.t, stage, le.Stage, "%v", err)
	s.undisturbed()
	for _, status := range s.drivers.Drivers() {
		if status.Version == version {
			require.Equal(s.t, loader.Failed, status.State, "%+v", status)
			require.ErrorAs(s.t, status.Err, &le)
			return
		}
	}
	require.Fail(s.t, "not listed", "%s of %+v", version, s.drivers.Drivers())
}

// withConnector is a driver called sqlite that can do all but open a connector.
func withConnector(module, version, body string) fixture.Source {
	return fixture.Plain(module, fixture.Manifest("sqlite", version), `import (
	"database/sql/driver"
	"errors"
)

type drv struct{ _ byte }

func (*drv) Name() string { return "sqlite" }

var errRefused = errors.New("not that one")

func (*drv) OpenConnector(string) (driver.Connector, error) { `+body+` }

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	return new(drv)
}`)
}

// badVersion is a driver file that is no good.
type badVersion struct {
	what, version, file string
	stage               loader.Stage
	again               string // a part of the error of a second Refresh
}

func badVersions(t *testing.T) []badVersion {
	misfit := withConnector("hot_misfit", "1.9.4", "return nil, errRefused")
	misfit.Args = []string{"-trimpath"}
	if fixture.Host(t).Settings["-trimpath"] == "true" {
		misfit.Args = []string{"-trimpath=false"}
	}
	garbage := filepath.Join(t.TempDir(), "garbage")
	require.NoError(t, os.WriteFile(garbage, []byte("garbage"), 0o600))
	panics := fixture.Plain("hot_init", fixture.Manifest("sqlite", "1.9.1"),
		"func init() { panic(\"in init\") }\n\nfunc NewDriver() interface{ Name() string } { return nil }")
	return []badVersion{
		{"garbage", "1.99.0", garbage, loader.StageInspect, "inspect"},
		{"another kind of file", "1.9.0", fixture.CLibrary(t), loader.StageInspect, "inspect"},
		{"a panic in init", "1.9.1", fixture.Build(t, panics), loader.StageProbe, "is not tried again: a panic: in init"},
		{"a refusal of the DSN", "1.9.2", fixture.Build(t, withConnector("hot_refuses", "1.9.2", "return nil, errRefused")), loader.StageRegister, "refuses one"},
		{"a panic in OpenConnector", "1.9.3", fixture.Build(t, withConnector("hot_panics", "1.9.3", "panic(\"no\")")), loader.StageRegister, "refuses one"},
		{"a misfit", "1.9.4", fixture.Build(t, misfit), loader.StageFit, "trimpath"},
	}
}

func TestBadVersions(t *testing.T) {
	s := serve(t, loader.Config{Probe: true})
	for _, c := range badVersions(t) {
		name := "sqlite-v" + c.version + ".so"
		install(t, c.file, s.dir, name)
		s.refused(c.version, c.stage)
		changes, err := s.drivers.Refresh(t.Context())
		assert.Empty(t, changes, c.what)
		assert.ErrorContains(t, err, c.again, c.what)
		_, err = s.drivers.Pin(t.Context(), "sqlite", c.version)
		assert.Error(t, err, c.what)
		s.undisturbed()
		require.NoError(t, os.Remove(filepath.Join(s.dir, name)))
	}
	s.done()
}

// A file that is copied into place is not taken up before it is whole.
func TestGrowingFile(t *testing.T) {
	noFilesUnderRace(t)
	whole, err := os.ReadFile(versionsOf(t, "sqlite")["1.1.0"])
	require.NoError(t, err)
	s := serve(t, loader.Config{})
	f, err := os.Create(filepath.Join(s.dir, "sqlite-v1.1.0.so"))
	require.NoError(t, err)
	defer f.Close()
	const parts = 6
	for i := range parts - 1 {
		_, err := f.Write(whole[i*len(whole)/parts : (i+1)*len(whole)/parts])
		require.NoError(t, err)
		s.refused("1.1.0", loader.StageInspect)
	}
	_, err = f.Write(whole[(parts-1)*len(whole)/parts:])
	require.NoError(t, err)
	s.refresh("1.0.0", "1.1.0")
	s.drained()
	s.done()
}

// A file that is written to all the time has no content that anybody means.
func TestRestlessFile(t *testing.T) {
	s := serve(t, loader.Config{})
	text, err := os.ReadFile(fixture.SQLite(t))
	require.NoError(t, err)
	// The manifest of another version, in a file that is otherwise whole.
	text = []byte(strings.ReplaceAll(string(text), `"version": "1.0.0"`, `"version": "1.0.1"`))
	file := filepath.Join(s.dir, "sqlite-v1.0.1.so")
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for ctx.Err() == nil {
			assert.NoError(t, os.WriteFile(file, text, 0o600))
		}
	})
	defer writer.Wait()
	defer stop()
	require.Eventually(t, func() bool { _, err := os.Stat(file); return err == nil }, 10*time.Second, time.Millisecond)
	noticed := false
	for i := 0; i < 100 && !noticed; i++ {
		_, err := s.drivers.Refresh(t.Context())
		var le *loader.LoadError
		require.ErrorAs(t, err, &le)
		noticed = le.Stage == loader.StageAdmit && strings.Contains(le.Found, "it was read")
		s.undisturbed()
	}
	require.True(t, noticed, "that the file changes")
	s.done()
}

// What cannot be loaded any more for lack of room changes nothing.
func TestCeiling(t *testing.T) {
	noFilesUnderRace(t)
	l := newLoader(t, loader.Config{})
	_, err := l.LoadFile(t.Context(), fixture.SQLite(t))
	require.NoError(t, err)
	s := serve(t, loader.Config{MaxResident: loader.Residents().Files})
	install(t, fixture.Driver(t, fixture.Answering("hotanswers", "sqlite", "1.8.0")), s.dir, "sqlite-v1.8.0.so")
	s.refused("1.8.0", loader.StageOpen)
	s.done()
}
