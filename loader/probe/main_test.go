//go:build linux

package probe_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/keyway-go/keyway/loader"
)

// hostLimit is how long a host may take; it is only reached by a fault.
const hostLimit = time.Minute

// host returns a program that probes, as an application would be: built
// without anything of the tests.
func host(t testing.TB) string {
	t.Helper()
	return fixture.Program(t, fixture.Source{Name: "probehost", Files: tree(t, "testdata/host")})
}

// misbehaving returns the driver file that does what MISBEHAVE says.
func misbehaving(t testing.TB) string {
	t.Helper()
	return fixture.Build(t, fixture.Source{Name: "misbehaving", Files: tree(t, "testdata/misbehaving")})
}

func good(t testing.TB) string {
	t.Helper()
	return fixture.Driver(t, fixture.Answering("good", "good", "1.2.0"))
}

func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(text)
		return err
	}))
	return files
}

// job and outcome are those of testdata/host.
type job struct {
	Cache    string
	Timeout  time.Duration
	Deadline time.Duration
	Loaders  int
	Each     int
	File     string
	Forget   string
	DSN      string
	User     int
	NoArgs   bool
}

type outcome struct {
	Text  string
	Error *loader.LoadError
	Probe *loader.ProbeError
	Other string
	Value string
}

// run runs a host in a process of its own. It must live, and its main function
// must be reached once: by the host and by no child.
func run(t testing.TB, j job, env ...string) []outcome {
	t.Helper()
	return runProgram(t, host(t), j, env...)
}

// runProgram is run with another host.
func runProgram(t testing.TB, program string, j job, env ...string) []outcome {
	t.Helper()
	j.Loaders, j.Each = max(j.Loaders, 1), max(j.Each, 1)
	if j.Timeout == 0 {
		j.Timeout = 20 * time.Second
	}
	dir := t.TempDir()
	mainLog, out := filepath.Join(dir, "main"), filepath.Join(dir, "out")
	cmd, said := command(t, j, out, append(env, "MAIN_LOG="+mainLog)...)
	cmd.Path = program
	require.NoError(t, cmd.Run(), "the host died:\n%s", said)
	require.Equal(t, "main\n", read(t, mainLog), "the main function was reached in a child")
	var outcomes []outcome
	require.NoError(t, json.Unmarshal([]byte(read(t, out)), &outcomes))
	require.Len(t, outcomes, j.Loaders*j.Each)
	return outcomes
}

func command(t testing.TB, j job, out string, env ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	text, err := json.Marshal(j)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), hostLimit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, host(t), string(text), out)
	cmd.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	procgroup.Own(cmd)
	return cmd, &said
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

func lines(t testing.TB, file string) []string {
	t.Helper()
	return strings.Fields(read(t, file))
}
