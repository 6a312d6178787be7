//go:build linux

package loader

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/internal/procgroup"
	_ "github.com/keyway-go/keyway/loader/files"
)

// A driver file can kill the process that loads it, and what was opened stays.
// Tests that must know that the process lives, or that need a fresh one, start
// this program again with a job.

// childLimit is how long a child may take. It also ends itself then, in case
// that its parent is gone.
const childLimit = 2 * time.Minute

const (
	jobVar   = "KEYWAY_LOADER_TEST_JOB"   // the file with a child's steps
	benchVar = "KEYWAY_LOADER_TEST_BENCH" // the measurement that a child makes
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(jobVar) != "":
		childMain(os.Getenv(jobVar))
	case os.Getenv(benchVar) != "":
		benchMain(os.Getenv(benchVar))
	default:
		os.Exit(m.Run())
	}
}

// step is a file for a child to load, with a loader of its own.
type step struct {
	Name   string // loaded by name if there is no file
	File   string
	Config Config
	After  string // what becomes of File once it is loaded: a key of accidents
}

// outcome is what became of a step. Of an error it holds all that a caller of
// the package can see.
type outcome struct {
	LoadError
	Text   string // Error()
	Other  string // an error that is no *LoadError
	Answer string // of the driver, if it was loaded
	Mapped string // the inode that is mapped for the driver file
	Took   time.Duration
}

// inChild runs the steps in one new process, which must outlive them all.
func inChild(t *testing.T, steps []step) []outcome {
	t.Helper()
	dir := t.TempDir()
	job := filepath.Join(dir, "job.json")
	text, err := json.Marshal(steps)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(job, text, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), childLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), jobVar+"="+job, "XDG_CACHE_HOME="+filepath.Join(dir, "cache"))
	procgroup.Own(cmd)
	out, err := cmd.CombinedOutput()
	var outcomes []outcome
	if text, rerr := os.ReadFile(job + ".out"); rerr == nil {
		require.NoError(t, json.Unmarshal(text, &outcomes))
	}
	at := "the end"
	if n := len(outcomes); n < len(steps) {
		at = fmt.Sprintf("step %d, %s", n, steps[n].File)
	}
	require.NoError(t, err, "the process died or hung at %s:\n%.4000s", at, out)
	return outcomes
}

func childMain(job string) {
	time.AfterFunc(childLimit, func() { os.Exit(2) })
	var steps []step
	text, err := os.ReadFile(job)
	if err == nil {
		err = json.Unmarshal(text, &steps)
	}
	outcomes := []outcome{}
	for _, s := range steps {
		outcomes = append(outcomes, s.run())
		// After each step, as the next one may be the last.
		text, merr := json.Marshal(outcomes)
		err = errors.Join(err, merr, os.WriteFile(job+".out", text, 0o600))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (s step) run() (o outcome) {
	start := time.Now()
	defer func() { o.Took = time.Since(start) }()
	l, err := New(s.Config)
	if err != nil {
		return outcome{Other: err.Error()}
	}
	var d *Driver[contract.Driver]
	if s.File != "" {
		d, err = l.LoadFile(context.Background(), s.File)
	} else {
		d, err = l.Load(context.Background(), s.Name)
	}
	if err == nil && s.After != "" {
		err = accidents[s.After](s.File)
	}
	if err == nil {
		o.Answer, err = answer(l, d)
		o.Mapped = mapped(d.SHA256)
	}
	var le *LoadError
	switch {
	case errors.As(err, &le):
		o.LoadError, o.Text = *le, err.Error()
		o.LoadError.Err = nil // an error does not survive JSON
	case err != nil:
		o.Other = err.Error()
	}
	return o
}

// accidents are what can happen to a driver file while it runs.
var accidents = map[string]func(file string) error{
	"deleted":   os.Remove,
	"truncated": func(file string) error { return os.Truncate(file, 0) },
	"overwritten": func(file string) error {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(make([]byte, info.Size()))
		return errors.Join(err, f.Close())
	},
	"replaced": func(file string) error {
		if err := os.WriteFile(file+".new", []byte("no driver"), 0o600); err != nil {
			return err
		}
		return os.Rename(file+".new", file)
	},
}

// mapped returns the inode of the file in this process's memory whose name has
// a text in it.
func mapped(name string) string {
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); len(f) > 5 && strings.Contains(f[5], name) {
			return f[4]
		}
	}
	return ""
}

// answer asks a driver of the fixture for its version by way of database/sql.
func answer(l *SQL, d *Driver[contract.Driver]) (string, error) {
	db, err := l.OpenDB(context.Background(), d.Manifest.Name, "dsn")
	if err != nil {
		return "", err
	}
	defer db.Close()
	var version string
	return version, db.QueryRow("version").Scan(&version)
}

// good returns a driver file called good, version 1.2.0, that answers.
func good(t testing.TB) string { return fixture.Driver(t, fixture.Answering("good", "good", "1.2.0")) }

// install copies a file into a new directory under a name and returns the path.
func install(t testing.TB, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return write(t, name, text)
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

// newLoader returns a loader with a cache of its own, unless cfg has one.
func newLoader(t testing.TB, cfg Config) *SQL {
	t.Helper()
	if cfg.CacheDir == "" {
		cfg.CacheDir = filepath.Join(t.TempDir(), "staged")
	}
	l, err := New(cfg)
	require.NoError(t, err)
	return l
}

// refused returns the *LoadError of err and checks what all of them hold.
func refused(t testing.TB, err error, stage Stage) *LoadError {
	t.Helper()
	var le *LoadError
	require.ErrorAs(t, err, &le)
	checkError(t, *le, err.Error(), stage)
	return le
}

// checkError checks that an error names all that it must, on one line.
func checkError(t testing.TB, e LoadError, text string, stage Stage) {
	t.Helper()
	require.Equal(t, stage, e.Stage, text)
	require.NotEmpty(t, e.Driver+e.File, text)
	require.NotEmpty(t, e.Wanted, text)
	require.NotEmpty(t, e.Found, text)
	require.NotEmpty(t, e.Remedy, text)
	require.NotContains(t, text, "\n")
	for _, part := range []string{e.Driver, oneLine(e.File), string(e.Stage), "wanted " + oneLine(e.Wanted), "found " + oneLine(e.Found), "remedy: " + oneLine(e.Remedy)} {
		require.Contains(t, text, part)
	}
}

func sumOf(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

// patch changes the bytes of a file without moving any.
type patch func(t *testing.T, content []byte) []byte

func patched(t *testing.T, file string, patches ...patch) string {
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, p := range patches {
		content = p(t, content)
	}
	return write(t, "patched.so", content)
}

func replace(old, new string) patch {
	return func(t *testing.T, content []byte) []byte {
		require.Len(t, new, len(old))
		require.Contains(t, string(content), old)
		return bytes.ReplaceAll(content, []byte(old), []byte(new))
	}
}
