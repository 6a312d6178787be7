//go:build linux

package probe_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

func TestGoodDriver(t *testing.T) {
	logs := t.TempDir()
	early, late := filepath.Join(logs, "early"), filepath.Join(logs, "late")
	o := run(t, job{Cache: t.TempDir(), File: good(t), DSN: "dsn"}, "EARLY_LOG="+early, "LATE_LOG="+late)[0]
	require.Equal(t, "1.2.0", o.Value, o.Text)
	require.Equal(t, []string{"early", "early"}, lines(t, early), "one of the child")
	require.Equal(t, []string{"late"}, lines(t, late), "what imports the package is not initialized in the child")
}

// os.Args is a program's own, and may be empty.
func TestProgramWithoutArguments(t *testing.T) {
	o := run(t, job{Cache: t.TempDir(), File: misbehaving(t), NoArgs: true})[0]
	require.Equal(t, "misbehaving", o.Value, o.Text)
}

// A test binary is a host, too: if its child reached the main function, that
// would run the tests.
func TestTestBinary(t *testing.T) {
	l, err := loader.New(loader.Config{CacheDir: t.TempDir(), Probe: true})
	require.NoError(t, err)
	d, err := l.LoadFile(t.Context(), good(t))
	require.NoError(t, err)
	require.Equal(t, "good", d.Value.Name())
}

// misbehaviours are what a file does, and what is said of it. The child's exit
// status is 0 unless said.
var misbehaviours = map[string]struct {
	wanted, found string
	evidence      loader.ProbeError // Stdout, Stderr and Stack are parts
}{
	"panic":                     {"init functions that return", "a panic: in\x1b[2Jinit", loader.ProbeError{Doing: "leave", Stack: "misbehaving.init.0"}},
	"panic much":                {"init functions that return", "a panic: much\x01\x01", loader.ProbeError{Doing: "leave"}},
	"exit 0":                    {"init functions that return", "exit status 0 in a child process", loader.ProbeError{Doing: "open"}},
	"exit 3":                    {"init functions that return", `exit status 3 in a child process, saying "second"`, loader.ProbeError{Doing: "open", ExitCode: 3, Stderr: "first\nsecond"}},
	"loop":                      {"init functions that return", "no end within 2s", loader.ProbeError{Doing: "open", ExitCode: -1, Signal: "SIGKILL", TimedOut: true}},
	"wait":                      {"init functions that return", "no end within 2s", loader.ProbeError{Doing: "open", ExitCode: -1, Signal: "SIGKILL", TimedOut: true}},
	"C crash":                   {"init functions that return", `saying "SIGSEGV: segmentation violation"`, loader.ProbeError{Doing: "open", ExitCode: 2, Stderr: "signal arrived during cgo execution"}},
	"SIGSEGV":                   {"init functions that return", `saying "SIGSEGV: segmentation violation"`, loader.ProbeError{Doing: "open", ExitCode: 2, Stderr: "goroutine"}},
	"SIGKILL":                   {"init functions that return", "SIGKILL in a child process", loader.ProbeError{Doing: "open", ExitCode: -1, Signal: "SIGKILL"}},
	"SIGTERM":                   {"init functions that return", "SIGTERM in a child process", loader.ProbeError{Doing: "open", ExitCode: -1, Signal: "SIGTERM"}},
	"goroutine panics":          {"init functions that return", `saying "panic: elsewhere"`, loader.ProbeError{Doing: "open", ExitCode: 2}},
	"print":                     {"nothing on standard output", `9 bytes: "hello\x1b[2J"`, loader.ProbeError{Doing: "leave", Stdout: "hello [2J"}},
	"print much":                {"nothing on standard output", "5242880 bytes: \"much", loader.ProbeError{Doing: "leave", Stdout: "bytes ..."}},
	"NewDriver prints":          {"nothing on standard output", `4 bytes: "made"`, loader.ProbeError{Doing: "leave", Stdout: "made"}},
	"close standard output":     {"standard output left open", "it closed", loader.ProbeError{Doing: "leave"}},
	"close standard error":      {"standard error left open", "it closed", loader.ProbeError{Doing: "leave"}},
	"replace standard output":   {"standard output left as it is", "another file", loader.ProbeError{Doing: "leave"}},
	"close what is not its own": {"init functions that return", `saying "cannot report on a driver file: write report: bad file descriptor"`, loader.ProbeError{Doing: "open", ExitCode: 1}},
	"chdir":                     {"the working directory /", `a change to "/"`, loader.ProbeError{Doing: "leave"}},
	"goroutine":                 {"no goroutine that stays", "1, created by example.com/fixture/misbehaving.init.0", loader.ProbeError{Doing: "leave", Stack: "main.go"}},
	"NewDriver panics":          {"NewDriver that returns", "a panic: no driver", loader.ProbeError{Doing: "leave", Stack: "NewDriver"}},
	"NewDriver Goexit":          {"NewDriver that returns", "a call of runtime.Goexit", loader.ProbeError{Doing: "leave"}},
	"NewDriver is nil":          {"a driver from NewDriver", "nil", loader.ProbeError{Doing: "leave"}},
	"NewDriver loops":           {"NewDriver and Name that return", "no end within 2s", loader.ProbeError{Doing: "NewDriver", ExitCode: -1, Signal: "SIGKILL", TimedOut: true}},
	"NewDriver exits":           {"NewDriver and Name that return", "exit status 5", loader.ProbeError{Doing: "NewDriver", ExitCode: 5}},
	"Name panics":               {"Name that returns", "a panic: no name", loader.ProbeError{Doing: "leave"}},
	"Name differs":              {`Name() that returns "misbehaving"`, `"imposter"`, loader.ProbeError{Doing: "leave"}},
}

func TestMisbehaviour(t *testing.T) {
	file := misbehaving(t)
	for name, want := range misbehaviours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := job{Cache: t.TempDir(), File: file}
			if want.evidence.TimedOut {
				j.Timeout = 2 * time.Second
			}
			o := run(t, j, "MISBEHAVE="+name)[0]
			require.Empty(t, o.Value, "it was loaded")
			require.NotNil(t, o.Error, o.Other)
			require.Equal(t, loader.StageProbe, o.Error.Stage, o.Text)
			require.Equal(t, "misbehaving", o.Error.Driver)
			require.Equal(t, file, o.Error.File)
			require.Contains(t, o.Error.Wanted, want.wanted)
			require.Contains(t, o.Error.Found, want.found)
			require.NotContains(t, o.Text, "\x1b")
			require.NotContains(t, o.Error.Remedy, "not opened again before the program restarts", "this program has not opened it")
			e, w := o.Probe, want.evidence
			require.NotNil(t, e)
			require.Equal(t, []any{w.Doing, w.ExitCode, w.Signal, w.TimedOut}, []any{e.Doing, e.ExitCode, e.Signal, e.TimedOut})
			require.Contains(t, e.Stdout, w.Stdout)
			require.Contains(t, e.Stderr, w.Stderr)
			require.Contains(t, e.Stack, w.Stack)
			require.NotContains(t, e.Stdout+e.Stderr+e.Stack, "\x1b")
			require.Less(t, len(e.Stdout), 5000)
			require.Less(t, len(o.Error.Found), 5000)
			require.NotContains(t, e.Stdout, "banner", "the host's own output")
			require.Positive(t, e.Took)
			require.Less(t, e.Took, 20*time.Second)
			require.Equal(t, host(t), e.Host)
			if w.Signal == "SIGTERM" || w.Signal == "SIGKILL" && !w.TimedOut { // others may have sent it
				require.NotContains(t, o.Error.Remedy, "rm ")
				require.Equal(t, "misbehaving", run(t, j)[0].Value)
				return
			}
			require.Contains(t, o.Error.Remedy, "to have the file tried again: rm "+j.Cache)

			again := run(t, j)[0] // which would be good
			require.NotNil(t, again.Error)
			require.Contains(t, again.Error.Found, "is not tried again: "+o.Error.Found)
			require.Equal(t, e, again.Probe)
		})
	}
}

func TestHarmless(t *testing.T) {
	for _, name := range []string{"print to standard error", "short goroutine"} {
		o := run(t, job{Cache: t.TempDir(), File: misbehaving(t)}, "MISBEHAVE="+name)[0]
		require.Equal(t, "misbehaving", o.Value, o.Text)
	}
}

// A goroutine that the file leaves is found among all that the program has, and
// what the program starts meanwhile is not the file's.
func TestWhoseGoroutine(t *testing.T) {
	for _, early := range []string{"goroutines", "more goroutines"} {
		o := run(t, job{Cache: t.TempDir(), File: misbehaving(t)}, "EARLY="+early, "MISBEHAVE=goroutine of a goroutine")[0]
		require.NotNil(t, o.Error, o.Value)
		require.Contains(t, o.Error.Found, "1, created by example.com/fixture/misbehaving.init.0.func")
		require.Contains(t, o.Probe.Stack, "chan receive")
		o = run(t, job{Cache: t.TempDir(), File: misbehaving(t)}, "EARLY="+early, "MISBEHAVE=short goroutine")[0]
		require.Equal(t, "misbehaving", o.Value, o.Text)
	}
}

// The drivers of this repository leave a process as it was.
func TestFirstParty(t *testing.T) {
	if testing.Short() {
		t.Skip("may build drivers")
	}
	l, err := loader.New(loader.Config{CacheDir: t.TempDir(), Probe: true, ProbeTimeout: time.Minute})
	require.NoError(t, err)
	for _, name := range []string{"sqlite", "sqlite3", "postgres", "mysql"} {
		d, err := l.LoadFile(t.Context(), fixture.FirstParty(t, name))
		require.NoError(t, err)
		require.Equal(t, name, d.Value.Name())
	}
}
