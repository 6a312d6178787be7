//go:build linux

package probe_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

func sumOf(t *testing.T, file string) string {
	t.Helper()
	h := sha256.Sum256([]byte(read(t, file)))
	return hex.EncodeToString(h[:])
}

// recordOf is where the failure of a job's file is remembered for the host.
func recordOf(t *testing.T, j job) string {
	t.Helper()
	return filepath.Join(j.Cache, "quarantine", sumOf(t, j.File)+"-"+sumOf(t, host(t))+".json")
}

// copyOf returns a file with the same content somewhere else.
func copyOf(t *testing.T, file string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "copy.so")
	require.NoError(t, os.WriteFile(name, []byte(read(t, file)), 0o644))
	return name
}

// What failed is remembered for other runs of the program and by content, until it is
// told to be forgotten in either way.
func TestQuarantine(t *testing.T) {
	file := misbehaving(t)
	pids := filepath.Join(t.TempDir(), "pids")
	j := job{Cache: t.TempDir(), File: file}
	record := recordOf(t, j)
	fail := func() {
		t.Helper()
		o := run(t, j, "MISBEHAVE=exit 3", "MISBEHAVE_PIDS="+pids)[0]
		require.NotNil(t, o.Error, o.Value)
		require.NotContains(t, o.Error.Found, "not tried again")
		require.FileExists(t, record)
	}
	fail()

	again := j
	again.File = copyOf(t, file)
	o := run(t, again, "MISBEHAVE_PIDS="+pids)[0] // which would be good now
	require.NotNil(t, o.Error, o.Value)
	require.Equal(t, loader.StageProbe, o.Error.Stage)
	require.Equal(t, again.File, o.Error.File)
	require.Equal(t, "misbehaving", o.Error.Driver)
	require.Equal(t, "init functions that return", o.Error.Wanted)
	require.Contains(t, o.Error.Found, "a file that failed on ")
	require.Contains(t, o.Error.Found, `is not tried again: exit status 3 in a child process, saying "second"`)
	require.Contains(t, o.Error.Remedy, "rm "+record)
	require.NotNil(t, o.Probe)
	require.Equal(t, 3, o.Probe.ExitCode)
	require.Equal(t, "first\nsecond", o.Probe.Stderr)
	require.WithinDuration(t, time.Now(), o.Probe.When, time.Hour)
	require.Len(t, lines(t, pids), 1, "it was tried again")

	forget := j
	forget.Forget = sumOf(t, file)
	require.Equal(t, "misbehaving", run(t, forget)[0].Value)
	require.NoFileExists(t, record)
	fail()
	require.NoError(t, os.Remove(record))
	require.Equal(t, "misbehaving", run(t, j)[0].Value)
}

// What failed may be the program's own doing, so that another program, such as
// one that was built again, tries the file; a copy of the same one does not.
func TestQuarantineOfAProgram(t *testing.T) {
	files := tree(t, "testdata/host")
	files["another.go"] = "package main\n\nimport \"os\"\n\nfunc init() { os.Unsetenv(\"ANOTHER\") }\n"
	mended := fixture.Program(t, fixture.Source{Name: "probehost", Files: files})
	program := filepath.Join(t.TempDir(), "program")
	install := func(from string) {
		t.Helper()
		require.NoError(t, os.WriteFile(program+".new", []byte(read(t, from)), 0o755))
		require.NoError(t, os.Rename(program+".new", program))
	}
	j := job{Cache: t.TempDir(), File: misbehaving(t)}
	require.NotNil(t, run(t, j, "MISBEHAVE=exit 3")[0].Error)
	install(host(t))
	o := runProgram(t, program, j)[0]
	require.NotNil(t, o.Error, o.Value)
	require.Contains(t, o.Error.Found, "is not tried again")
	install(mended)
	require.NotNil(t, runProgram(t, program, j, "MISBEHAVE=exit 4")[0].Error)
	require.FileExists(t, recordOf(t, j), "what the one has found is not the other's to change")
	o = runProgram(t, program, j)[0]
	require.NotNil(t, o.Error, o.Value)
	require.Contains(t, o.Error.Found, `is not tried again: exit status 4`)

	j.Forget = sumOf(t, j.File)
	require.Equal(t, "misbehaving", runProgram(t, program, j)[0].Value)
	j.Forget = ""
	require.Equal(t, "misbehaving", run(t, j)[0].Value, "it was forgotten for both")
}

// A file that did not end in time is tried again with more of it.
func TestQuarantineOfATimeout(t *testing.T) {
	j := job{Cache: t.TempDir(), File: misbehaving(t), Timeout: 500 * time.Millisecond}
	require.NotNil(t, run(t, j, "MISBEHAVE=wait")[0].Error)
	require.NotNil(t, run(t, j)[0].Error)
	j.Timeout = 20 * time.Second
	require.Equal(t, "misbehaving", run(t, j)[0].Value)
}

// A record is believed only where nobody else can have written it; else the
// file is tried.
func TestQuarantineTrust(t *testing.T) {
	file := misbehaving(t)
	for name, spoil := range map[string]func(t *testing.T, dir, record string){
		"record that others may write":    func(t *testing.T, _, record string) { require.NoError(t, os.Chmod(record, 0o622)) },
		"directory that others may write": func(t *testing.T, dir, _ string) { require.NoError(t, os.Chmod(dir, 0o777)) },
		"link": func(t *testing.T, dir, record string) {
			require.NoError(t, os.Rename(record, filepath.Join(dir, "elsewhere")))
			require.NoError(t, os.Symlink("elsewhere", record))
		},
		"damaged": func(t *testing.T, _, record string) { require.NoError(t, os.WriteFile(record, []byte("{"), 0o600)) },
		"empty":   func(t *testing.T, _, record string) { require.NoError(t, os.Truncate(record, 0)) },
		"another's": func(t *testing.T, _, record string) {
			text := strings.Replace(read(t, record), sumOf(t, file), strings.Repeat("0", 64), 1)
			require.NoError(t, os.WriteFile(record, []byte(text), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := job{Cache: t.TempDir(), File: file}
			require.NotNil(t, run(t, j, "MISBEHAVE=exit 0")[0].Error)
			dir := filepath.Join(j.Cache, "quarantine")
			spoil(t, dir, recordOf(t, j))
			o := run(t, j)[0]
			require.Equal(t, "misbehaving", o.Value, o.Text)
		})
	}
}

// Without a place to remember there is still an error.
func TestQuarantineCannotWrite(t *testing.T) {
	j := job{Cache: t.TempDir(), File: misbehaving(t)}
	require.NoError(t, os.WriteFile(filepath.Join(j.Cache, "quarantine"), nil, 0o600))
	for range 2 {
		o := run(t, j, "MISBEHAVE=exit 3")[0]
		require.NotNil(t, o.Error, o.Value)
		require.Contains(t, o.Error.Found, "exit status 3")
		require.NotContains(t, o.Error.Remedy, "rm ")
	}
}

// However many loaders of a process want a file at once, it is tried once.
func TestProbesOnce(t *testing.T) {
	for misbehave, tries := range map[string]int{"exit 3": 1, "": 2} { // a good one is opened after its try
		t.Run(misbehave, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pids")
			j := job{Cache: t.TempDir(), File: misbehaving(t), Loaders: 3, Each: 3}
			for _, o := range run(t, j, "MISBEHAVE="+misbehave, "MISBEHAVE_PIDS="+pids) {
				require.Equal(t, misbehave == "", o.Error == nil, o.Text)
			}
			require.Len(t, lines(t, pids), tries)
		})
	}
}

func TestNotTheFilesFault(t *testing.T) {
	file := misbehaving(t)
	notRemembered := func(t *testing.T, j job) {
		t.Helper()
		require.NoDirExists(t, filepath.Join(j.Cache, "quarantine"))
		require.Equal(t, "misbehaving", run(t, j)[0].Value)
	}
	t.Run("canceled", func(t *testing.T) {
		j := job{Cache: t.TempDir(), File: file, Deadline: 700 * time.Millisecond}
		o := run(t, j, "MISBEHAVE=wait")[0]
		require.Equal(t, "context deadline exceeded", o.Other)
		j.Deadline = 0
		notRemembered(t, j)
	})
	t.Run("the program exits", func(t *testing.T) {
		j := job{Cache: t.TempDir(), File: file}
		o := run(t, j, "EARLY=exit")[0]
		require.NotNil(t, o.Error, o.Value)
		require.Equal(t, loader.StageProbe, o.Error.Stage)
		require.Contains(t, o.Error.Wanted, "begins to load")
		require.Equal(t, `exit status 7 in a child process, saying "address in use"`, o.Error.Found)
		require.Contains(t, o.Error.Remedy, "loader/probe")
		require.Equal(t, "", o.Probe.Doing)
		notRemembered(t, j)
	})
	t.Run("the program lets the system wait for children", func(t *testing.T) {
		j := job{Cache: t.TempDir(), File: file}
		o := run(t, j, "EARLY=ignore children")[0]
		require.NotNil(t, o.Error, o.Value)
		require.Equal(t, loader.StageProbe, o.Error.Stage)
		require.Equal(t, "a child process to try the file in", o.Error.Wanted)
		require.Contains(t, o.Error.Found, "how the child process ended is not known")
		notRemembered(t, j)
	})
	t.Run("the program waits", func(t *testing.T) {
		j := job{Cache: t.TempDir(), File: file, Timeout: 300 * time.Millisecond}
		o := run(t, j, "EARLY=wait")[0]
		require.NotNil(t, o.Error, o.Value)
		require.Contains(t, o.Error.Found, "no end within 300ms")
		j.Timeout = 0
		notRemembered(t, j)
	})
}

func TestForget(t *testing.T) {
	l, err := loader.New(loader.Config{CacheDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, l.Forget(strings.Repeat("a", 64)), "what is not remembered")
	for _, bad := range []string{"", "abc", strings.Repeat("A", 64), "../../" + strings.Repeat("a", 58)} {
		require.ErrorContains(t, l.Forget(bad), "is not a sha256 in hex")
	}
}
