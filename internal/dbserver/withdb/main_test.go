package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyway-go/keyway/internal/dbserver"
)

// The test binary is withdb, too.
func TestMain(m *testing.M) {
	if os.Getenv("KEYWAY_TEST_WITHDB") != "" {
		os.Unsetenv("KEYWAY_TEST_WITHDB")
		main()
		return
	}
	os.Exit(m.Run())
}

type result struct {
	code        int
	out, errOut string
}

// withdb starts the command. Its servers are below the directory temp.
func withdb(t *testing.T, temp string, args ...string) (*exec.Cmd, func() result) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "KEYWAY_TEST_WITHDB=1", "TMPDIR="+temp)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, func() result {
		_ = cmd.Wait()
		return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	}
}

// temporary returns a directory that is short enough for sockets, and usable by
// every user.
func temporary(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "keyway-test-")
	if err == nil {
		err = os.Chmod(dir, 0o777|os.ModeSticky)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// needs skips the test where a product is not installed.
func needs(t *testing.T, p dbserver.Product) { dbserver.Shared(t, p) }

func TestCommandGetsDSNs(t *testing.T) {
	needs(t, dbserver.Postgres)
	needs(t, dbserver.MariaDB)
	temp := temporary(t)
	_, wait := withdb(t, temp, "postgres", "mariadb", "--", "sh", "-c", `echo "$KEYWAY_POSTGRES_DSN"; echo "$KEYWAY_MYSQL_DSN"; ls -d `+temp+`/*; exit 7`)
	r := wait()
	lines := strings.Fields(r.out)
	if r.code != 7 || r.errOut != "" || len(lines) != 4 {
		t.Fatalf("%+v", r)
	}
	if !strings.HasPrefix(lines[0], "postgres://keyway:") || !strings.HasPrefix(lines[1], "keyway:") || !strings.Contains(lines[1], "@tcp(127.0.0.1:") {
		t.Errorf("DSNs: %q", lines[:2])
	}
	empty(t, temp)
}

// Signals reach the command, and what it makes of them is the exit code.
func TestSignals(t *testing.T) {
	needs(t, dbserver.Postgres)
	for name, c := range map[string]struct {
		script string
		signal syscall.Signal
		code   int
	}{
		"handled":   {`trap 'exit 5' TERM; touch $KEYWAY_STARTED; while :; do sleep 0.05; done`, syscall.SIGTERM, 5},
		"interrupt": {`trap 'exit 6' INT; touch $KEYWAY_STARTED; while :; do sleep 0.05; done`, syscall.SIGINT, 6},
		"not":       {`touch $KEYWAY_STARTED; exec sleep 60`, syscall.SIGTERM, 128 + 15},
	} {
		t.Run(name, func(t *testing.T) {
			temp := temporary(t)
			file := filepath.Join(t.TempDir(), "started")
			t.Setenv("KEYWAY_STARTED", file)
			cmd, wait := withdb(t, temp, "postgres", "--", "sh", "-c", c.script)
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				if _, err := os.Stat(file); err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the command did not start: %+v", wait())
				}
			}
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if r := wait(); r.code != c.code {
				t.Errorf("%+v, want exit code %d", r, c.code)
			}
			empty(t, temp)
		})
	}
}

func TestPrintsDSNsUntilInterrupted(t *testing.T) {
	needs(t, dbserver.Postgres)
	temp := temporary(t)
	cmd := exec.Command(os.Args[0], "postgres")
	cmd.Env = append(os.Environ(), "KEYWAY_TEST_WITHDB=1", "TMPDIR="+temp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 1000)
	n, _ := out.Read(text)
	if line := string(text[:n]); !strings.HasPrefix(line, "export 'KEYWAY_POSTGRES_DSN=postgres://") || !strings.HasSuffix(line, "'\n") {
		t.Errorf("got %q", line)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	empty(t, temp)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); left != nil {
		t.Errorf("left over: %q", left)
	}
}

func TestUsage(t *testing.T) {
	for args, fault := range map[string]string{
		"":                  "no product is given",
		"oracle":            `there is no product "oracle"`,
		"postgres postgres": "postgres is given twice",
		"postgres --":       "no command follows --",
		"-- true":           "no product is given",
	} {
		_, wait := withdb(t, t.TempDir(), strings.Fields(args)...)
		if r := wait(); r.code != 2 || !strings.Contains(r.errOut, fault) || !strings.Contains(r.errOut, "usage: ") {
			t.Errorf("%q: %+v, want %q", args, r, fault)
		}
	}
	if word := quote("a'b"); word != `'a'\''b'` {
		t.Errorf("quoted: %s", word)
	}
}

// A command that is not there is withdb's own fault.
func TestNoSuchCommand(t *testing.T) {
	needs(t, dbserver.Postgres)
	_, wait := withdb(t, temporary(t), "postgres", "--", "keyway-no-such-command")
	if r := wait(); r.code != 1 || !strings.Contains(r.errOut, `"keyway-no-such-command"`) {
		t.Errorf("%+v", r)
	}
}

// stopper is a server whose Stop returns the error.
type stopper struct{ err error }

func (s stopper) Stop() error { return s.err }

// A server that cannot be stopped is a failure, whatever the command says.
func TestFailedStop(t *testing.T) {
	failed, before := errors.New("it did not end"), errors.New("before")
	for _, c := range []struct {
		stop   error
		code   int
		err    error
		want   int
		errors []error
	}{
		{nil, 0, nil, 0, nil},
		{nil, 7, nil, 7, nil},
		{nil, 1, before, 1, []error{before}},
		{failed, 0, nil, 1, []error{failed}},
		{failed, 7, nil, 7, []error{failed}},
		{failed, 1, before, 1, []error{before, failed}},
	} {
		code, err := stopServer(stopper{c.stop}, c.code, c.err)
		if code != c.want || (err == nil) != (c.errors == nil) {
			t.Errorf("%+v: %d, %v", c, code, err)
		}
		for _, want := range c.errors {
			if !errors.Is(err, want) {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
}
