//go:build unix

package conformance_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/internal/fixture"
)

func goodWidget(t *testing.T) string {
	return fixture.Driver(t, widgetSource("widget", widgetManifest, goodNew))
}

// options of a run whose hanging checks are over soon.
func options(file string, run ...string) conformance.Options {
	return conformance.Options{File: file, Run: run,
		Config: conformance.Config{DSN: "{{tempdir}}/file"},
		Limits: conformance.Limits{Timeout: 2 * time.Second}}
}

func statuses(r *conformance.Report) map[string]conformance.Status {
	m := map[string]conformance.Status{}
	for _, c := range r.Checks {
		m[c.ID] = c.Status
	}
	return m
}

func result(t *testing.T, r *conformance.Report, id string) conformance.Result {
	t.Helper()
	for _, c := range r.Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no result for %s", id)
	return conformance.Result{}
}

func TestEveryStatus(t *testing.T) {
	child := filepath.Join(t.TempDir(), "child")
	t.Setenv("WIDGET_CHILD", child)
	o := options(goodWidget(t))
	o.Disable = []string{"do/nothing"}
	o.Config.Waivers = []conformance.Waiver{
		{Check: "do/fail", Reason: "known", URL: "https://example.com/1"},
		{Check: "do/noise", Reason: "mended long ago", URL: "https://example.com/2"},
	}
	var seen []string
	o.Progress = func(p conformance.Progress) {
		if p.Result != nil {
			seen = append(seen, p.Result.ID)
			assert.Equal(t, len(seen), p.Done)
		}
	}
	r, err := conformance.Run(t.Context(), suite(), o)
	require.NoError(t, err)

	got := statuses(r)
	for id, want := range map[string]conformance.Status{
		"file/loads": conformance.Pass, "driver/name": conformance.Pass,
		"do/nothing": conformance.Disabled, "do/fail": conformance.Waived, "do/noise": conformance.UnexpectedPass,
		"do/panic": conformance.Crash, "do/panic-elsewhere": conformance.Crash, "do/exit": conformance.Crash,
		"do/hang": conformance.Timeout, "do/spin-in-c": conformance.Timeout, "do/child": conformance.Pass,
		"t/unsupported": conformance.Unsupported, "t/setup": conformance.SuiteError, "t/subject": conformance.Pass,
	} {
		assert.Equal(t, want, got[id], "%s: %s", id, result(t, r, id).Message)
	}
	assert.Len(t, seen, len(r.Checks))
	assert.False(t, r.OK())
	assert.Equal(t, 2, r.Summary[conformance.Timeout])

	assert.Contains(t, result(t, r, "do/panic").Message, "panic: it panicked")
	assert.Contains(t, result(t, r, "do/panic").Message, "Do(", "the stack is missing")
	assert.Contains(t, result(t, r, "do/panic-elsewhere").Message, "panic: it panicked elsewhere")
	assert.Contains(t, result(t, r, "do/exit").Message, "exit status 0")
	assert.Contains(t, result(t, r, "do/exit").Message, "about to leave")
	assert.Contains(t, strings.Join(result(t, r, "do/hang").Logs, "\n"), "Do(", "no goroutine dump")
	assert.Contains(t, result(t, r, "t/setup").Message, "could not make a table: file already closed")
	assert.Equal(t, "it failed", result(t, r, "do/fail").Message)
	assert.Equal(t, "known", result(t, r, "do/fail").Waiver.Reason)
	assert.Equal(t, conformance.Fail, result(t, r, "do/fail").WaivedStatus)
	assert.Positive(t, result(t, r, "file/loads").DurationMS)
	assert.Equal(t, len(r.Checks), r.Total)

	pid, err := os.ReadFile(child)
	require.NoError(t, err)
	n, err := strconv.Atoi(string(pid))
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return gone(n) }, 5*time.Second, 10*time.Millisecond, "the driver's own child still runs")
}

// gone tells whether a process has ended; one that nobody has waited for
// counts.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestNothingIsLeft(t *testing.T) {
	file := goodWidget(t)
	temp, cache := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("XDG_CACHE_HOME", cache)
	_, err := conformance.Run(t.Context(), suite(), options(file, "t", "do/panic-elsewhere", "do/hang"))
	require.NoError(t, err)
	for _, dir := range []string{temp, filepath.Join(cache, "keyway")} {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left, dir)
	}
}

func TestInterrupted(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	o := options(goodWidget(t), "do/hang", "do/nothing")
	o.Limits.Timeout = time.Minute
	o.Progress = func(p conformance.Progress) {
		if p.Result != nil && p.Result.ID == "file/loads" {
			time.AfterFunc(300*time.Millisecond, cancel)
		}
	}
	start := time.Now()
	r, err := conformance.Run(ctx, suite(), o)
	require.ErrorIs(t, err, context.Canceled)
	require.NotNil(t, r)
	assert.Equal(t, conformance.NotRun, statuses(r)["do/hang"])
	assert.False(t, r.OK())
	assert.True(t, r.Interrupted)
	for _, c := range r.Checks {
		assert.NotContains(t, c.Message, "does not load")
	}
	assert.Less(t, time.Since(start), 30*time.Second)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// A run that is killed leaves no check running.
func TestParentDies(t *testing.T) {
	hangs := filepath.Join(t.TempDir(), "pid")
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "WIDGET_PARENT="+goodWidget(t), "WIDGET_HANGS="+hangs, "TMPDIR="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir())
	require.NoError(t, parent.Start())
	pid := 0
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(hangs)
		if err == nil {
			pid, err = strconv.Atoi(string(text))
		}
		return err == nil
	}, 30*time.Second, 10*time.Millisecond, "the check does not begin")
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	assert.Eventually(t, func() bool { return gone(pid) }, 10*time.Second, 10*time.Millisecond, "the check still runs")
}

func TestInProcess(t *testing.T) {
	o := options(goodWidget(t), "do/nothing", "do/fail", "do/panic", "t/subject")
	o.InProcess = true
	r, err := conformance.Run(t.Context(), suite(), o)
	require.NoError(t, err)
	got := statuses(r)
	assert.Equal(t, conformance.Pass, got["file/loads"], result(t, r, "file/loads").Message)
	assert.Equal(t, conformance.Pass, got["do/nothing"])
	assert.Equal(t, conformance.Fail, got["do/fail"])
	assert.Equal(t, conformance.Crash, got["do/panic"])
	assert.Equal(t, conformance.Pass, got["t/subject"], result(t, r, "t/subject").Message)
}

// The value reaches the process of a check, in which only the check may see it.
func TestDSNFromTheEnvironment(t *testing.T) {
	t.Setenv("WIDGET_FILE", "left-behind")
	o := options(goodWidget(t), "t/subject")
	o.Config.DSN = "{{tempdir}}/{{env:WIDGET_FILE}}"
	for _, o.InProcess = range []bool{false, true} {
		r, err := conformance.Run(t.Context(), suite(), o)
		require.NoError(t, err)
		assert.Equal(t, conformance.Pass, statuses(r)["t/subject"], result(t, r, "t/subject").Message)
	}
}

func TestAdapt(t *testing.T) {
	o := options(goodWidget(t), "do/nothing", "do/noise")
	t.Setenv("WIDGET_ADAPT", "1")
	for _, o.InProcess = range []bool{false, true} {
		r, err := conformance.Run(t.Context(), suite(), o)
		require.NoError(t, err)
		got := statuses(r)
		assert.Equal(t, conformance.Pass, got["file/loads"])
		assert.Equal(t, conformance.Pass, got["do/noise"])
		assert.Equal(t, conformance.Fail, got["do/nothing"], "in process: %v", o.InProcess)
		assert.Equal(t, "widget was adapted", result(t, r, "do/nothing").Message)
	}
}

// A driver that is part of the program is held to the same checks, in processes
// of their own.
func TestLinked(t *testing.T) {
	o := options("", "do/nothing", "do/fail", "do/exit", "driver")
	o.Linked = "linked"
	r, err := conformance.Run(t.Context(), suite(), o)
	require.NoError(t, err)
	require.Equal(t, conformance.DriverInfo{Name: "linked", Version: "3.2.1", Linked: true}, r.Driver)
	require.Equal(t, map[string]conformance.Status{
		"file/loads": conformance.Pass, "driver/never-nil": conformance.Pass, "driver/independent": conformance.Pass,
		"driver/new-parallel": conformance.Pass, "driver/new-starts-nothing": conformance.Pass, "driver/name": conformance.Pass,
		"do/nothing": conformance.Pass, "do/fail": conformance.Fail, "do/exit": conformance.Crash,
	}, statuses(r))

	o.Linked = "nobody"
	_, err = conformance.Run(t.Context(), suite(), o)
	require.ErrorContains(t, err, `the program has no driver "nobody" of contract widget`)
	o.File = "file.so"
	_, err = conformance.Run(t.Context(), suite(), o)
	require.ErrorContains(t, err, "both a driver file and a driver in the program")
}

func TestSelectionAndWaivers(t *testing.T) {
	file := goodWidget(t)
	good := func(check string) conformance.Waiver {
		return conformance.Waiver{Check: check, Reason: "r", URL: "u"}
	}
	t.Run("nothing matches", func(t *testing.T) {
		_, err := conformance.Run(t.Context(), suite(), options(file, "nonsense/*"))
		var usage *conformance.UsageError
		require.ErrorAs(t, err, &usage)
		assert.Contains(t, err.Error(), "nonsense")
	})
	t.Run("a good run", func(t *testing.T) {
		o := options(file, "do/nothing", "driver/*")
		r, err := conformance.Run(t.Context(), suite(), o)
		require.NoError(t, err)
		assert.True(t, r.OK(), "%+v", r.Summary)
		assert.False(t, r.Conforms(), "not everything was tested")
		assert.Equal(t, "file/readable", r.Checks[0].ID)
	})
	t.Run("a waiver that matches nothing", func(t *testing.T) {
		o := options(file, "do/nothing")
		o.Config.Waivers = []conformance.Waiver{good("do/forgotten")}
		r, err := conformance.Run(t.Context(), suite(), o)
		require.NoError(t, err)
		assert.False(t, r.OK())
		require.Len(t, r.Problems, 1)
		assert.Contains(t, r.Problems[0], "do/forgotten")
	})
	t.Run("a waiver of a check that was not selected", func(t *testing.T) {
		o := options(file, "do/nothing")
		o.Config.Waivers = []conformance.Waiver{good("do/fail")}
		r, err := conformance.Run(t.Context(), suite(), o)
		require.NoError(t, err)
		assert.True(t, r.OK())
	})
	t.Run("a suite error is not waived", func(t *testing.T) {
		o := options(file, "t/setup")
		o.Config.Waivers = []conformance.Waiver{good("t")}
		r, err := conformance.Run(t.Context(), suite(), o)
		require.NoError(t, err)
		assert.Equal(t, conformance.SuiteError, statuses(r)["t/setup"])
		assert.False(t, r.OK())
	})
	t.Run("nothing but loading is shown", func(t *testing.T) {
		o := options(file, "do/nothing", "t/unsupported")
		o.Disable = []string{"do"}
		r, err := conformance.Run(t.Context(), suite(), o)
		require.NoError(t, err)
		assert.False(t, r.OK())
	})
	t.Run("a waiver of what does not apply", func(t *testing.T) {
		o := options(file, "do/nothing", "t/unsupported")
		o.Config.Waivers = []conformance.Waiver{good("t/unsupported")}
		r, err := conformance.Run(t.Context(), suite(), o)
		require.NoError(t, err)
		assert.False(t, r.OK())
		require.Len(t, r.Problems, 1)
		assert.Contains(t, r.Problems[0], "unsupported; remove it")
	})
	t.Run("a waiver of what was not selected beside what does not apply", func(t *testing.T) {
		o := options(file, "do/nothing", "t/unsupported")
		o.Config.Waivers = []conformance.Waiver{good("t/*")}
		r, err := conformance.Run(t.Context(), suite(), o)
		require.NoError(t, err)
		assert.True(t, r.OK(), "%v", r.Problems)
	})
	t.Run("a FIFO", func(t *testing.T) {
		fifo := filepath.Join(t.TempDir(), "fifo.so")
		require.NoError(t, syscall.Mkfifo(fifo, 0o600))
		_, err := conformance.Run(t.Context(), suite(), options(fifo))
		var usage *conformance.UsageError
		require.ErrorAs(t, err, &usage)
	})
	t.Run("options that the suite has not", func(t *testing.T) {
		o := options(file)
		o.Config.Suite = json.RawMessage(`{"x":1}`)
		_, err := conformance.Run(t.Context(), suite(), o)
		var usage *conformance.UsageError
		require.ErrorAs(t, err, &usage)
	})
	t.Run("a DSN from a variable that is not set", func(t *testing.T) {
		o := options(file)
		o.Config.DSN = "p4ssword@{{env:KEYWAY_TEST_UNSET}}"
		_, err := conformance.Run(t.Context(), suite(), o)
		var usage *conformance.UsageError
		require.ErrorAs(t, err, &usage)
		assert.Contains(t, err.Error(), "KEYWAY_TEST_UNSET, which is not set")
		assert.NotContains(t, err.Error(), "p4ssword")
	})
	t.Run("no file", func(t *testing.T) {
		_, err := conformance.Run(t.Context(), suite(), options(filepath.Join(t.TempDir(), "none.so")))
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

// The report's form is what other programs read.
func TestReportAsJSON(t *testing.T) {
	r, err := conformance.Run(t.Context(), suite(), options(goodWidget(t), "do/fail"))
	require.NoError(t, err)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	var doc struct {
		Schema   string
		Driver   struct{ Name, Version, SHA256 string }
		Contract struct{ Name, Version string }
		Checks   []map[string]any
		Summary  map[string]int
		Problems []string
	}
	require.NoError(t, json.Unmarshal(text, &doc))
	assert.Equal(t, "keyway.conformance/1", doc.Schema)
	assert.Equal(t, "widget", doc.Driver.Name)
	assert.Equal(t, "1.0.0", doc.Driver.Version)
	assert.Len(t, doc.Driver.SHA256, 64)
	assert.Equal(t, "widget", doc.Contract.Name)
	assert.Equal(t, "1.2.0", doc.Contract.Version)
	assert.NotNil(t, doc.Problems)
	assert.Len(t, doc.Summary, 10, "every status is counted")
	last := doc.Checks[len(doc.Checks)-1]
	for _, key := range []string{"id", "level", "status", "duration_ms", "message", "rule", "source"} {
		assert.Contains(t, last, key)
	}
	assert.Equal(t, "fail", last["status"])
}
