package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"

	"github.com/keyway-go/keyway/conformance/sqlsuite"
	"github.com/keyway-go/keyway/internal/dbserver"
	"github.com/keyway-go/keyway/internal/fixture"
)

// The test binary is the command, too, and the worker that the command starts.
func TestMain(m *testing.M) {
	sqlsuite.Suite().Worker()
	testscript.Main(m, map[string]func(){"drivercheck": main})
}

// TestScripts runs testdata/*.txtar. Scripts have, besides testscript's own
// commands, "exits CODE ARGS..." for drivercheck, "waitfor DIR ID" until a check
// whose ID begins so runs, with its directory below DIR, the condition [race],
// and these files:
//
//	$SQLITE    the driver file of drivers/sqlite
//	$SQLITE3   the one of drivers/sqlite3
//	$ANSWERING a driver that answers every query with its version
//	$TRIMMED   the same, built with -trimpath
//	$CLIBRARY  a shared library in C
//	$SELF      the test binary, which is the host of them all
//	$CONFORMANCE  conformance.json of drivers/sqlite
//	$SQLITE3_CONFORMANCE  the one of drivers/sqlite3
//	$ONLY      a PATH with nothing but drivercheck
//
// A name in databases is a condition that is true where the server is
// installed; "database NAME" then sets the variable of its DSN, $DRIVER to the
// file of its driver, and $CONFORMANCE to the driver's conformance.json.
func TestScripts(t *testing.T) {
	files := scriptFiles(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	servers := newServers(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for name, file := range files {
				env.Setenv(name, file)
			}
			// Without the go command, but with drivercheck.
			env.Setenv("ONLY", filepath.SplitList(env.Getenv("PATH"))[0])
			env.Setenv("XDG_CACHE_HOME", cache)
			for _, name := range []string{"GOPROXY", "GOFLAGS", "GOSUMDB", "GOCACHE", "GOMODCACHE"} {
				env.Setenv(name, goVariable(t, name))
			}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "race" {
				return fixture.Host(t).Settings["-race"] == "true", nil
			}
			return servers.installed(name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "waitfor": waitfor, "database": servers.database,
		},
	})
}

// scriptFiles returns the files that every script has, by their variables.
func scriptFiles(t *testing.T) map[string]string {
	t.Helper()
	answering := fixture.Answering("answering", "answering", "1.2.0")
	trimmed := fixture.Plain("trimmed", fixture.Manifest("trimmed", "1.0.0"), "func NewDriver() any { return nil }")
	trimmed.Args = []string{"-trimpath"}
	files := map[string]string{
		"SQLITE":    fixture.SQLite(t),
		"SQLITE3":   fixture.FirstParty(t, "sqlite3"),
		"ANSWERING": fixture.Driver(t, answering),
		"TRIMMED":   fixture.Build(t, trimmed),
		"CLIBRARY":  fixture.CLibrary(t),
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files["SELF"] = self
	for name, driver := range map[string]string{"CONFORMANCE": "sqlite", "SQLITE3_CONFORMANCE": "sqlite3"} {
		if files[name], err = filepath.Abs(filepath.Join("..", "..", "drivers", driver, "conformance.json")); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// databases are the drivers that need a server, by their names.
var databases = map[string]struct {
	product  dbserver.Product
	variable string // as conformance.json has it
}{
	"postgres": {dbserver.Postgres, "KEYWAY_POSTGRES_DSN"},
	"mysql":    {dbserver.MariaDB, "KEYWAY_MYSQL_DSN"},
}

// servers start the server of each database, once, when a script asks for it.
type servers struct {
	t     *testing.T
	start map[string]func() (*dbserver.Server, error)
}

func newServers(t *testing.T) servers {
	s := servers{t: t, start: map[string]func() (*dbserver.Server, error){}}
	for name, db := range databases {
		s.start[name] = sync.OnceValues(func() (*dbserver.Server, error) {
			server, err := dbserver.Start(t.Context(), db.product)
			if err == nil {
				t.Cleanup(func() { assert.NoError(t, server.Stop()) })
			}
			return server, err
		})
	}
	return s
}

// installed is the condition of a database's name.
func (s servers) installed(name string) (bool, error) {
	start, ok := s.start[name]
	if !ok {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	_, err := start()
	if errors.Is(err, dbserver.ErrMissing) {
		return false, nil
	}
	return err == nil, err
}

// database makes a server and its driver known to a script.
func (s servers) database(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || s.start[args[0]] == nil {
		ts.Fatalf("usage: database NAME")
	}
	name := args[0]
	server, err := s.start[name]()
	ts.Check(err)
	conformance, err := filepath.Abs(filepath.Join("..", "..", "drivers", name, "conformance.json"))
	ts.Check(err)
	ts.Setenv(databases[name].variable, server.DSN)
	ts.Setenv("DRIVER", fixture.FirstParty(s.t, name))
	ts.Setenv("CONFORMANCE", conformance)
}

func goVariable(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out[:len(out)-1])
}

// exits runs drivercheck and compares its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("drivercheck", args[1:]...)
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("drivercheck %q: exit code %d, want %d", args[1:], code, want)
	}
}

// waitfor waits until the process of a check has its job, and some more.
func waitfor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor DIR ID")
	}
	for range 600 {
		jobs, _ := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "keyway-run-*", "check-*", "job.json"))
		for _, job := range jobs {
			if text, _ := os.ReadFile(job); strings.Contains(string(text), `"check":"`+args[1]) {
				time.Sleep(200 * time.Millisecond)
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("no check began")
}
