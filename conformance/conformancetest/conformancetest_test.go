package conformancetest_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/conformancetest"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
)

type thing = interface{ Name() string }

var thingSource = fixture.Plain("thing",
	`{"name":"thing","version":"1.0.0","contract":{"name":"thing","version":"^1"}}`,
	"type thing struct{ _ int }\n\nfunc (*thing) Name() string { return \"thing\" }\n\nfunc NewDriver() interface{ Name() string } { return new(thing) }")

func suite() *conformance.Suite[thing] {
	check := func(id string, run func(t *conformance.T, s *conformance.Subject[thing])) conformance.Check[thing] {
		return conformance.Check[thing]{ID: id, Level: conformance.Must, Rule: "A rule.", Source: "this test", Run: run}
	}
	return &conformance.Suite[thing]{
		Contract: contract.MustDefine[thing]("thing", "1.0.0"),
		Checks: []conformance.Check[thing]{
			check("a/pass", func(t *conformance.T, s *conformance.Subject[thing]) {}),
			check("a/fail", func(t *conformance.T, s *conformance.Subject[thing]) { t.Fatalf("the evidence") }),
			check("a/unsupported", func(t *conformance.T, s *conformance.Subject[thing]) { t.Unsupported("the lack") }),
		},
	}
}

func TestMain(m *testing.M) {
	if os.Getenv("CONFORMANCETEST_INNER") == "no Main" {
		os.Exit(m.Run())
	}
	conformancetest.Main(m, suite())
}

// TestInner is what an author of a driver writes. It runs in a process of its
// own, because it is to fail.
func TestInner(t *testing.T) {
	mode := os.Getenv("CONFORMANCETEST_INNER")
	if mode == "" {
		t.Skip("is run by TestRun")
	}
	o := conformance.Options{}
	if dir := os.Getenv("CONFORMANCETEST_DIR"); dir != "" {
		o.File = conformancetest.Build(t, dir)
		o.Config.Waivers = []conformance.Waiver{{Check: "a/fail", Reason: "the reason", URL: "https://example.com"}}
	} else {
		o.File = fixture.Driver(t, thingSource)
	}
	switch mode {
	case "waived":
		o.Config.Waivers = []conformance.Waiver{{Check: "a/fail", Reason: "the reason", URL: "https://example.com"}}
	case "stale":
		o.Run = []string{"a/pass"}
		o.Config.Waivers = []conformance.Waiver{{Check: "a/gone", Reason: "r", URL: "u"}}
	case "nothing":
		o.Run = []string{"a/unsupported"}
	}
	conformancetest.Run(t, suite(), o)
}

func TestRun(t *testing.T) {
	for mode, c := range map[string]struct {
		ok    bool
		lines []string
	}{
		"plain": {false, []string{"--- PASS: TestInner/file/loads", "--- PASS: TestInner/a/pass", "--- FAIL: TestInner/a/fail",
			"fail: the evidence", "rule: A rule.", "source: this test", "--- SKIP: TestInner/a/unsupported", "unsupported: the lack"}},
		"waived":  {true, []string{"--- SKIP: TestInner/a/fail", "waived: the reason (https://example.com)", "the evidence"}},
		"stale":   {false, []string{"--- PASS: TestInner/a/pass", "a/gone"}},
		"nothing": {false, []string{"--- SKIP: TestInner/a/unsupported", "no check passed"}},
	} {
		t.Run(mode, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestInner$", "-test.v")
			cmd.Env = append(os.Environ(), "CONFORMANCETEST_INNER="+mode)
			out, err := cmd.CombinedOutput()
			if c.ok {
				require.NoError(t, err, "%s", out)
			} else {
				require.Error(t, err, "%s", out)
			}
			for _, line := range c.lines {
				assert.Contains(t, string(out), line)
			}
		})
	}
}

// inner runs TestInner on a directory of the driver, whose source is changed
// before, with a directory for temporary files that it must leave empty.
func inner(t *testing.T, mode, old, new string) (cmd *exec.Cmd, temp string) {
	fixture.Host(t) // or there is nothing to test
	dir, temp := t.TempDir(), t.TempDir()
	files := maps.Clone(thingSource.Files)
	files["go.mod"] = "module example.com/thing\n\ngo 1.26\n"
	files["main.go"] = strings.Replace(files["main.go"], old, new, 1)
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd = exec.CommandContext(ctx, os.Args[0], "-test.run=^TestInner$", "-test.v")
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "CONFORMANCETEST_INNER="+mode, "CONFORMANCETEST_DIR="+dir, "TMPDIR="+temp)
	return cmd, temp
}

func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestBuild(t *testing.T) {
	for name, c := range map[string]struct {
		mode, old, new string
		ok             bool
		lines          []string
	}{
		"good":    {"plain", "", "", true, []string{"--- PASS: TestInner/file/agrees", "--- PASS: TestInner/a/pass"}},
		"broken":  {"plain", "new(thing)", "nothing", false, []string{"main.go:7:", "undefined: nothing"}},
		"no Main": {"no Main", "", "", false, []string{"TestMain must call conformancetest.Main"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, temp := inner(t, c.mode, c.old, c.new)
			out, err := cmd.CombinedOutput()
			assert.Equal(t, c.ok, err == nil, "%s", out)
			for _, line := range c.lines {
				assert.Contains(t, string(out), line)
			}
			assertEmpty(t, temp)
		})
	}
}

// What the test started ends with it, and its files are removed.
func TestInterrupted(t *testing.T) {
	bin := t.TempDir()
	pid := filepath.Join(bin, "pid")
	// A go command that takes its time, with a child that does.
	script := fmt.Sprintf("#!/bin/sh\nsleep 90 &\necho $! >'%s.part'\nmv '%[1]s.part' '%[1]s'\nwait\n", pid)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o700))
	cmd, temp := inner(t, "plain", "", "")
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	var child int
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(pid)
		if err == nil {
			child, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil
	}, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	assert.Contains(t, out.String(), "--- FAIL: TestInner")
	assert.Contains(t, out.String(), "context canceled")
	assertEmpty(t, temp)
	assert.Eventually(t, func() bool { return ended(child) }, 5*time.Second, 10*time.Millisecond)
}

// ended tells whether a process is gone, or waits only to be reaped.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(state, "Z")
}
