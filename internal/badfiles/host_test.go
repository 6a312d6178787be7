//go:build linux

package badfiles_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/internal/procgroup"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/probe"
)

// What a bad file does to a process is seen by starting this program again as a
// host, which loads it. With Config.Probe, the host starts itself once more.

// hostLimit is how long a host may take. It ends itself then, too, in case that
// its parent is gone.
const hostLimit = 2 * time.Minute

// jobVar is set for a host to the file with its job.
const jobVar = "KEYWAY_BADFILES_TEST_JOB"

func TestMain(m *testing.M) {
	if job := os.Getenv(jobVar); job != "" {
		hostMain(job)
	}
	os.Exit(m.Run())
}

// job is what a host does: it loads each bad file, and after each of them has a
// good driver answer a query.
type job struct {
	Steps []step
	Good  string
	// Config is for the good file.
	Config loader.Config
}

// step is a file to load, with a loader of its own.
type step struct {
	Name   string // loaded by name if there is no file
	File   string
	Config loader.Config
	While  string // what happens to File while it is read: a key of changes
}

// outcome is what became of a step. Of an error it holds all that a caller of
// the loader can see.
type outcome struct {
	loader.LoadError
	Text   string   // Error()
	Other  string   // an error that is no *LoadError
	Is     []string // the sentinels and types that errors.Is and As find
	Loaded bool     // there was no error
	Answer string   // of the good driver afterwards
	Fault  string   // why there is no answer
	Took   time.Duration
}

// inHost does a job in one new process, which must outlive all of it.
func inHost(t *testing.T, j job) []outcome {
	t.Helper()
	file := filepath.Join(t.TempDir(), "job.json")
	text, err := json.Marshal(j)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), hostLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), jobVar+"="+file)
	procgroup.Own(cmd)
	out, err := cmd.CombinedOutput()
	var outcomes []outcome
	if text, rerr := os.ReadFile(file + ".out"); rerr == nil {
		require.NoError(t, json.Unmarshal(text, &outcomes))
	}
	at := "the end"
	if n := len(outcomes); n < len(j.Steps) {
		at = fmt.Sprintf("step %d, %s", n, j.Steps[n].File)
	}
	require.NoError(t, err, "the host died or hung at %s:\n%.4000s", at, out)
	require.Len(t, outcomes, len(j.Steps))
	return outcomes
}

func hostMain(file string) {
	time.AfterFunc(hostLimit, func() { os.Exit(2) })
	var j job
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	var l *loader.SQL
	if err == nil {
		l, err = loader.New(j.Config)
	}
	var outcomes []outcome
	for _, s := range j.Steps {
		if err != nil {
			break
		}
		o := s.run()
		if o.Answer, err = answer(l, j.Good); err != nil {
			o.Fault = err.Error()
		}
		outcomes = append(outcomes, o)
		// After each step, as the next one may be the last.
		text, merr := json.Marshal(outcomes)
		err = errors.Join(merr, os.WriteFile(file+".out", text, 0o600))
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
	s.Config.Logger = slog.New(slog.DiscardHandler) // which drivers get, too
	l, err := loader.New(s.Config)
	if err == nil && s.While != "" {
		defer meanwhile(s.File, changes[s.While])()
	}
	switch {
	case err != nil:
	case s.File != "":
		_, err = l.LoadFile(context.Background(), s.File)
	default:
		_, err = l.Load(context.Background(), s.Name)
	}
	le, ok := errors.AsType[*loader.LoadError](err)
	switch {
	case ok:
		o.LoadError, o.Text, o.Is = *le, err.Error(), whatItIs(err)
		o.LoadError.Err = nil // an error does not survive JSON
	case err != nil:
		o.Other = err.Error()
	default:
		o.Loaded = true
	}
	return o
}

func whatItIs(err error) []string {
	var is []string
	if errors.Is(err, fs.ErrNotExist) {
		is = append(is, "not-exist")
	}
	if p, ok := errors.AsType[*loader.PanicError](err); ok && len(p.Stack) > 0 {
		is = append(is, "panic")
	}
	return is
}

// answer loads the good driver, once, and lets it answer a query.
func answer(l *loader.SQL, file string) (string, error) {
	d, loaded := l.Driver("good")
	if !loaded {
		var err error
		if d, err = l.LoadFile(context.Background(), file); err != nil {
			return "", err
		}
	}
	db, err := l.OpenDB(context.Background(), d.Manifest.Name, "dsn")
	if err != nil {
		return "", err
	}
	defer db.Close()
	var version string
	return version, db.QueryRow("version").Scan(&version)
}

const goodVersion = "1.2.0"

func good(t testing.TB) string {
	t.Helper()
	return fixture.Driver(t, fixture.Answering("good", "good", goodVersion))
}
