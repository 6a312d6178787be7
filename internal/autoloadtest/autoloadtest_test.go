//go:build linux

package autoloadtest

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/internal/procgroup"
	"github.com/keyway-go/keyway/loader/autoload"
	"github.com/keyway-go/keyway/loader/inspect"
)

// limit is how long a program may take; it is only reached by a fault.
const limit = time.Minute

const autoloadImport = `_ "github.com/keyway-go/keyway/loader/autoload"`

const (
	modernc = "modernc.org/sqlite"
	mattn   = "github.com/mattn/go-sqlite3"
)

// application is a program of this module.
type application struct {
	dir     string // its directory, and the last element of its import path
	imports string // the import of its driver
	name    string // by which it asks for it, as for the driver file
	// linksMattn tells that what it is made with imports that driver.
	linksMattn bool
}

var applications = []application{
	{"gormapp", `_ "` + modernc + `"`, "sqlite", true},
	{"sqlxapp", `_ "` + mattn + `"`, "sqlite3", false},
	{"sqlcapp", `_ "` + mattn + `"`, "sqlite3", false},
}

// build builds a program, with other text in the place of some of its main.go.
func build(t *testing.T, a application, imports string) string {
	t.Helper()
	files := module(t)
	main := a.dir + "/main.go"
	require.Equal(t, 1, strings.Count(files[main], a.imports), main)
	files[main] = strings.Replace(files[main], a.imports, imports, 1)
	return fixture.Program(t, fixture.Source{Name: a.dir, Files: files, Dir: a.dir})
}

// module returns the files of this module, for another directory.
func module(t *testing.T) map[string]string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	files := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		files[name] = string(text)
		return err
	}))
	files["go.mod"] = strings.ReplaceAll(files["go.mod"], "=> ../..", "=> "+root)
	return files
}

// run runs a program with a new database and returns what it prints, and how
// many driver files it has loaded.
func run(t *testing.T, program, drivers string) (string, int, error) {
	t.Helper()
	cache := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, filepath.Join(t.TempDir(), "app.db"))
	cmd.Env = append(os.Environ(), autoload.Variable+"="+drivers, "XDG_CACHE_HOME="+cache)
	procgroup.Own(cmd)
	said, err := cmd.CombinedOutput()
	loaded, gerr := filepath.Glob(filepath.Join(cache, "keyway", "staged", "*.so"))
	require.NoError(t, gerr)
	return string(said), len(loaded), err
}

// install links driver files into a new directory.
func install(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		require.NoError(t, os.Symlink(fixture.FirstParty(t, name), filepath.Join(dir, name+".so")))
	}
	return dir
}

// An application whose import is changed, and nothing else, says what it said
// before, and does so by way of the driver file.
func TestOneImport(t *testing.T) {
	for _, a := range applications {
		t.Run(a.dir, func(t *testing.T) {
			before := works(t, build(t, a, a.imports), "", 0)
			changed := build(t, a, autoloadImport)
			require.Equal(t, before, works(t, changed, install(t, "sqlite", "sqlite3"), 1))

			facts, err := inspect.ReadFile(changed)
			require.NoError(t, err)
			for _, m := range facts.Modules {
				if a.linksMattn && m.Path == mattn {
					continue
				}
				require.NotContains(t, []string{mattn, modernc}, m.Path, "a driver is still linked in")
			}
			said, _, err := run(t, changed, "")
			require.Error(t, err)
			require.Contains(t, said, `unknown driver "`+a.name+`"`)
			said, _, err = run(t, changed, broken(t, a.name))
			require.Error(t, err)
			require.Contains(t, said, "an empty file")
		})
	}
}

// An application that imports autoload and its driver has its driver, though a
// driver file has the name.
func TestBothImports(t *testing.T) {
	for _, a := range applications {
		t.Run(a.dir, func(t *testing.T) {
			before := works(t, build(t, a, a.imports), "", 0)
			both := build(t, a, a.imports+"\n\t"+autoloadImport)
			require.Equal(t, before, works(t, both, install(t, "sqlite", "sqlite3"), 0))
		})
	}
}

// works runs a program that must not fail and load so many files.
func works(t *testing.T, program, drivers string, files int) string {
	t.Helper()
	said, loaded, err := run(t, program, drivers)
	require.NoError(t, err, "%s", said)
	require.NotEmpty(t, said)
	require.Equal(t, files, loaded, "driver files that were loaded")
	return said
}

// broken returns a directory with a driver file that is none.
func broken(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".so"), nil, 0o644))
	return dir
}
