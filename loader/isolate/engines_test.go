//go:build linux

package isolate_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
	"github.com/keyway-go/keyway/loader/inspect"
)

const (
	mattn   = "github.com/mattn/go-sqlite3"
	modernc = "modernc.org/sqlite"
)

// sums are the lines of go.sum for two versions of mattn's module, which
// bundle different versions of SQLite.
const sums = mattn + ` v1.14.24 h1:tpSp2G2KyMnnQu99ngJ47EIkWVmliIizyZBfPrBWDRM=
` + mattn + ` v1.14.24/go.mod h1:Uh1q+B4BYcTPb+yiD3kU8Ct7aC0hY9fxUwlHK0RXw+Y=
` + mattn + ` v1.14.52 h1:wVbm2Qnf4OXkqhBTSPuCRZDRnxfbVrrmiCEroVdog8U=
` + mattn + ` v1.14.52/go.mod h1:6JTjA44L93a0QCyJef5YvlPoKXntQPjzWv5gtm9sB6w=
`

// callbacks is a driver on a version of mattn's module, whose C code calls Go
// code of the driver: a function, an aggregate, and a hook on changes, which
// are counted for the whole driver.
const callbacks = `package callbacks

import (
	"context"
	"database/sql/driver"
	_ "embed"
	"errors"
	"strings"
	"sync/atomic"

	"` + mattn + `"
)

//go:embed driver.json
var DriverManifest string

var changes atomic.Int64

type joined struct{ parts []string }

func (j *joined) Step(s string) { j.parts = append(j.parts, s) }
func (j *joined) Done() string  { return "VERSION:" + strings.Join(j.parts, "+") }

func hook(c *sqlite3.SQLiteConn) error {
	c.RegisterUpdateHook(func(int, string, string, int64) { changes.Add(1) })
	return errors.Join(
		c.RegisterFunc("go_version", func(s string) string { return s + " VERSION" }, false),
		c.RegisterFunc("go_changes", changes.Load, false),
		c.RegisterAggregator("go_joined", func() *joined { return new(joined) }, false))
}

type drv struct{ *sqlite3.SQLiteDriver }

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	return drv{&sqlite3.SQLiteDriver{ConnectHook: hook}}
}

func (drv) Name() string { return "callbacks" }

func (d drv) OpenConnector(dsn string) (driver.Connector, error) { return connector{d, dsn}, nil }

type connector struct {
	drv drv
	dsn string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.drv.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.drv }
`

// callbacksOn returns the driver file on a version of mattn's module, which is
// the driver's version, too.
func callbacksOn(t *testing.T, version string) string {
	t.Helper()
	return fixture.Driver(t, fixture.Source{Name: "callbacks", Files: map[string]string{
		"go.mod":      "module example.com/callbacks\n\ngo 1.26\n\nrequire " + mattn + " v" + version + "\n",
		"go.sum":      sums,
		"driver.json": fixture.Manifest("callbacks", version),
		"driver.go":   strings.ReplaceAll(callbacks, "VERSION", version),
	}})
}

// engine is a database with what it must say of itself.
type engine struct {
	*sql.DB
	module         string
	driver         string // version of the driver
	version, build string
}

// openEngine loads a driver file by a loader of its own, so that another
// version may have the same name, and opens a database.
func openEngine(t *testing.T, file, dsn string) engine {
	t.Helper()
	l, err := loader.New(loader.Config{})
	require.NoError(t, err)
	d, err := l.LoadFile(t.Context(), file)
	require.NoError(t, err)
	db, err := l.OpenDB(t.Context(), d.Manifest.Name, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	e := engine{DB: db, driver: d.Manifest.Version}
	for _, m := range d.Facts.Modules {
		if m.Path == mattn || m.Path == modernc {
			e.module = m.Path
			e.version, e.build = bundled(t, m.Path, m.Version)
		}
	}
	return e
}

var (
	versionDefined = regexp.MustCompile(`(?m)^(?:#define |\s*const )?SQLITE_VERSION\s+=?\s*"(.*)"`)
	buildDefined   = regexp.MustCompile(`(?m)^(?:#define |\s*const )?SQLITE_SOURCE_ID\s+=?\s*"(.*)"`)
)

// bundled reads the version of SQLite, and the name of its sources, in a
// module's source.
func bundled(t *testing.T, module, version string) (number, build string) {
	t.Helper()
	text, err := exec.Command("go", "mod", "download", "-json", module+"@"+version).Output()
	require.NoError(t, err, "%s", text)
	var m struct{ Dir string }
	require.NoError(t, json.Unmarshal(text, &m))
	files := []string{filepath.Join(m.Dir, "sqlite3-binding.h")}
	if module == modernc {
		files, err = filepath.Glob(filepath.Join(m.Dir, "lib", "*.go"))
		require.NoError(t, err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		if v, b := versionDefined.FindSubmatch(source), buildDefined.FindSubmatch(source); v != nil && b != nil {
			return string(v[1]), string(b[1])
		}
	}
	t.Fatalf("%s does not tell its version of SQLite", m.Dir)
	return "", ""
}

// check asks the engine who it is.
func (e engine) check(t *testing.T) {
	t.Helper()
	var version, build string
	var functions int // that mattn's Go code adds; modernc's SQLite may be of the same version
	err := e.QueryRow("SELECT sqlite_version(), sqlite_source_id(), "+
		"(SELECT count(*) FROM pragma_function_list WHERE name = 'auth_enabled')").Scan(&version, &build, &functions)
	if assert.NoError(t, err) {
		assert.Equal(t, e.version+" "+e.build, version+" "+build, "driver %s on %s", e.driver, e.module)
		assert.Equal(t, e.module == mattn, functions == 1, "%s has %d", e.module, functions)
	}
}

// called asks the engine for what Go code of the driver answers.
func (e engine) called(t *testing.T, i int) {
	t.Helper()
	var function, aggregate string
	err := e.QueryRow("SELECT go_version(?), (SELECT go_joined(a) FROM (SELECT 'x' AS a UNION ALL SELECT 'y'))", fmt.Sprint(i)).
		Scan(&function, &aggregate)
	if assert.NoError(t, err) {
		assert.Equal(t, fmt.Sprintf("%d %s", i, e.driver), function)
		assert.Equal(t, e.driver+":x+y", aggregate)
	}
}

// Both SQLite drivers of this repository, and two versions of one driver on
// different versions of a C library, in one process: each runs its own C code,
// which calls back its own Go code.
func TestEnginesTogether(t *testing.T) {
	dir := t.TempDir()
	old := openEngine(t, callbacksOn(t, "1.14.24"), filepath.Join(dir, "old.db"))
	latest := openEngine(t, callbacksOn(t, "1.14.52"), filepath.Join(dir, "latest.db"))
	all := []engine{old, latest,
		openEngine(t, fixture.FirstParty(t, "sqlite"), ":memory:"),
		openEngine(t, fixture.FirstParty(t, "sqlite3"), ":memory:")}
	require.NotEqual(t, old.version, latest.version)
	for range 3 { // in turns, all of them loaded
		for _, e := range all {
			e.check(t)
		}
	}
	assert.Empty(t, sql.Drivers(), "sql.Register was not dropped")

	const rows = 20
	for _, e := range all[:2] {
		_, err := e.Exec("CREATE TABLE t (a)")
		require.NoError(t, err)
	}
	for i := range rows {
		for n, e := range all[:2] {
			e.called(t, i)
			_, err := e.Exec("INSERT INTO t " + strings.Repeat("SELECT 1 UNION ALL ", n) + "SELECT 1")
			require.NoError(t, err)
		}
	}
	for n, e := range all[:2] {
		var changes int
		require.NoError(t, e.QueryRow("SELECT go_changes()").Scan(&changes))
		assert.Equal(t, (n+1)*rows, changes, "the hook of %s", e.driver)
	}
	if fixture.Host(t).Settings["-race"] == "true" {
		return // the race detector does not know the memory of a plugin, and may end the process
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				all[g%2].called(t, 100*g+i)
				all[(g+i)%len(all)].check(t)
			}
		})
	}
	wg.Wait()
}

// host is a program that has linked in mattn's module, and loads a driver file
// that contains it, too.
const host = `package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"os"

	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
	"` + mattn + `"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file, cache string) error {
	ctx := context.Background()
	l, err := loader.New(loader.Config{CacheDir: cache})
	if err != nil {
		return err
	}
	d, err := l.LoadFile(ctx, file)
	if err != nil {
		return err
	}
	loaded, err := l.OpenDB(ctx, d.Manifest.Name, ":memory:")
	if err != nil {
		return err
	}
	linked, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		return err
	}
	linked.SetMaxOpenConns(1)
	answers := map[string]string{"registered": fmt.Sprint(sql.Drivers())}
	for range 2 { // in turns
		for name, db := range map[string]*sql.DB{"linked": linked, "loaded": loaded} {
			if answers[name], err = ask(ctx, db, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	version, _, build := sqlite3.Version()
	answers["own"] = version + " " + build + " linked"
	return json.NewEncoder(os.Stdout).Encode(answers)
}

// ask returns the version of the engine, and what a Go function says that its
// C code calls.
func ask(ctx context.Context, db *sql.DB, name string) (string, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	err = c.Raw(func(dc any) error {
		if w, ok := dc.(interface{ Unwrap() driver.Conn }); ok {
			dc = w.Unwrap()
		}
		return dc.(interface{ RegisterFunc(string, any, bool) error }).RegisterFunc("go_name", func() string { return name }, false)
	})
	if err != nil {
		return "", err
	}
	var version, build, said string
	err = c.QueryRowContext(ctx, "SELECT sqlite_version(), sqlite_source_id(), go_name()").Scan(&version, &build, &said)
	return version + " " + build + " " + said, err
}
`

// A program that itself links another version of what a driver file contains,
// C code and sql.Register included.
func TestHostHasTheSameDependency(t *testing.T) {
	program := fixture.Program(t, fixture.Source{Name: "enginehost", Files: map[string]string{"main.go": host}, Mod: "\nrequire " + mattn + " v1.14.24\n"})
	facts, err := inspect.ReadFile(program)
	require.NoError(t, err)
	driver := buildFor(t, filepath.Join("..", "..", "drivers", "sqlite3"), facts)

	cmd := exec.CommandContext(t.Context(), program, driver, t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var answers map[string]string
	require.NoError(t, json.Unmarshal(out, &answers))

	linked, linkedBuild := bundled(t, mattn, "v1.14.24")
	in, err := inspect.ReadFile(driver)
	require.NoError(t, err)
	var loaded, loadedBuild string
	for _, m := range in.Modules {
		if m.Path == mattn {
			loaded, loadedBuild = bundled(t, mattn, m.Version)
		}
	}
	require.NotEqual(t, linked, loaded)
	assert.Equal(t, map[string]string{
		"linked":     linked + " " + linkedBuild + " linked",
		"own":        linked + " " + linkedBuild + " linked",
		"loaded":     loaded + " " + loadedBuild + " loaded",
		"registered": "[sqlite3]",
	}, answers)
}
