//go:build linux

package probe_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
)

// state is the letter of a process's state, or "" if there is none.
func state(pid string) string {
	text, _ := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	_, rest, _ := strings.Cut(string(text), ") ")
	letter, _, _ := strings.Cut(rest, " ")
	return letter
}

// alive tells whether a process runs; a zombie does not.
func alive(t *testing.T, pid string) bool {
	t.Helper()
	return strings.Trim(state(pid), "ZX") != ""
}

func dies(t *testing.T, pid string) {
	t.Helper()
	require.Eventually(t, func() bool { return !alive(t, pid) }, 20*time.Second, 10*time.Millisecond, "process %s is left", pid)
}

// end kills a process that a test has started.
func end(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(n, syscall.SIGKILL))
}

// Nothing of the child's group is left when the error is there, though it holds
// the output open.
func TestProcessesOfTheChild(t *testing.T) {
	for _, misbehave := range []string{"child", "child of its own session"} {
		t.Run(misbehave, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pids")
			o := run(t, job{Cache: t.TempDir(), File: misbehaving(t)}, "MISBEHAVE="+misbehave, "MISBEHAVE_PIDS="+pids)[0]
			require.NotNil(t, o.Error)
			require.Contains(t, o.Error.Found, "exit status 4")
			started := lines(t, pids)
			require.Len(t, started, 2)
			t.Cleanup(func() {
				if alive(t, started[1]) {
					end(t, started[1])
				}
			})
			dies(t, started[0])
			if misbehave != "child" { // the one that is beyond reach
				require.True(t, alive(t, started[1]))
				end(t, started[1])
			}
			dies(t, started[1])
		})
	}
}

// adopt makes this process the parent of those below it that lose theirs, as the
// first process of a container is. It is of their session, so that the system
// does not wake them.
func adopt(t *testing.T) {
	t.Helper()
	const setChildSubreaper = 36
	set := func(on uintptr) error {
		if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, on, 0); errno != 0 {
			return errno
		}
		return nil
	}
	require.NoError(t, set(1))
	t.Cleanup(func() { require.NoError(t, set(0)) })
}

// A child whose parent is killed does not stay, whatever it does.
func TestParentIsKilled(t *testing.T) {
	adopt(t)
	for _, misbehave := range []string{"loop", "wait", "SIGSTOP"} {
		t.Run(misbehave, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pids")
			cmd, _ := command(t, job{Cache: t.TempDir(), File: misbehaving(t), Loaders: 1, Each: 1, Timeout: hostLimit},
				filepath.Join(t.TempDir(), "out"), "MISBEHAVE="+misbehave, "MISBEHAVE_PIDS="+pids)
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool {
				text, err := os.ReadFile(pids)
				return err == nil && strings.HasSuffix(string(text), "\n")
			}, 20*time.Second, 5*time.Millisecond)
			child := lines(t, pids)[0]
			if misbehave == "SIGSTOP" {
				require.Eventually(t, func() bool { return state(child) == "T" }, 20*time.Second, 5*time.Millisecond)
			}
			require.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait()
			t.Cleanup(func() {
				if alive(t, child) {
					end(t, child)
				}
			})
			dies(t, child)
		})
	}
}

// No process becomes a child by accident, and one that may be meant to be one
// does not reach the main function.
func TestNoChildByAccident(t *testing.T) {
	token := strings.Repeat("A", 26)
	for name, c := range map[string]struct {
		variable, job, why string
		shared             bool // its process group
	}{
		"only the variable":       {token, "", "descriptor 3 is no pipe", false},
		"another token":           {token, `{"Token":"B"}` + "\n", "the job is another's", false},
		"no token":                {token, "{}\n", "the job is another's", false},
		"empty":                   {"", "{}\n", "the job is another's", false},
		"no JSON":                 {token, "hello\n", "the job is not readable", false},
		"no line":                 {token, `{"Token":"` + token + `"}`, "there is no job", false},
		"another's process group": {token, "", "it has no process group of its own", true},
	} {
		t.Run(name, func(t *testing.T) {
			mainLog := filepath.Join(t.TempDir(), "main")
			cmd := exec.Command(host(t), "{}", os.DevNull)
			cmd.Env = append(os.Environ(), "KEYWAY_PROBE_CHILD="+c.variable, "MAIN_LOG="+mainLog)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !c.shared}
			if c.job != "" {
				for range 3 {
					r, w, err := os.Pipe()
					require.NoError(t, err)
					defer r.Close()
					_, err = w.WriteString(c.job)
					require.NoError(t, err)
					require.NoError(t, w.Close())
					cmd.ExtraFiles = append(cmd.ExtraFiles, r)
				}
			}
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 2, exit.ExitCode(), "%s", out)
			require.Contains(t, string(out), "KEYWAY_PROBE_CHILD is set, but this process is no child that tries a driver file: "+c.why+"; unset it\n")
			require.NoFileExists(t, mainLog)
		})
	}
}

const nobody = 65534

// nobodys returns a program, a driver file and a cache directory that the user
// nobody may use.
func nobodys(t *testing.T) (program string, j job) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to act for another user")
	}
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	program, j = filepath.Join(dir, "host"), job{Cache: filepath.Join(dir, "cache"), File: filepath.Join(dir, "misbehaving.so"), Loaders: 1, Each: 1, Timeout: hostLimit}
	require.NoError(t, os.WriteFile(program, []byte(read(t, host(t))), 0o755))
	require.NoError(t, os.WriteFile(j.File, []byte(read(t, misbehaving(t))), 0o644))
	require.NoError(t, os.Mkdir(j.Cache, 0o700))
	require.NoError(t, os.Chown(j.Cache, nobody, nobody))
	return program, j
}

// A program with rights that its starter has not loads no file at the bidding
// of descriptors and variables.
func TestNoChildWithMoreRights(t *testing.T) {
	program, j := nobodys(t)
	var fs syscall.Statfs_t
	require.NoError(t, syscall.Statfs(program, &fs))
	if fs.Flags&syscall.MS_NOSUID != 0 {
		t.Skip("setuid programs gain nothing below " + program)
	}
	require.NoError(t, os.Chown(program, nobody, nobody))
	require.NoError(t, os.Chmod(program, os.ModeSetuid|0o755))
	cmd, said := command(t, j, filepath.Join(j.Cache, "out"))
	cmd.Path = program
	require.NoError(t, cmd.Run(), "%s", said)
	require.Contains(t, read(t, cmd.Args[2]), `"Wanted":"a program that has no more rights than its starter","Found":"one that gains rights`)
	require.NoDirExists(t, filepath.Join(j.Cache, "quarantine"))
}

// A service that gives up its rights once it runs can probe.
func TestRightsThatWereDropped(t *testing.T) {
	program, j := nobodys(t)
	j.User = nobody
	cmd, said := command(t, j, filepath.Join(j.Cache, "out"))
	cmd.Path = program
	require.NoError(t, cmd.Run(), "%s", said)
	require.Contains(t, read(t, cmd.Args[2]), `"Value":"misbehaving"`)
}

// Packages of the standard library that the program has, but has not
// initialized when the child's turn comes, work in a driver file.
func TestLateStandardLibrary(t *testing.T) {
	std := fixture.Plain("probestd", fixture.Manifest("probestd", "1.0.0"), `import (
	"database/sql/driver"
	"net/http"
	"strings"
	"text/template"
)

type drv struct{}

func (drv) Name() string                                   { return "probestd" }
func (drv) OpenConnector(string) (driver.Connector, error) { return nil, nil }

func init() {
	var b strings.Builder
	if err := template.Must(template.New("").Parse("{{printf \"%d\" .}}")).Execute(&b, http.StatusOK); err != nil || b.String() != "200" {
		panic(b.String())
	}
	if http.DefaultTransport == nil || http.ErrServerClosed == nil || http.NewServeMux() == nil {
		panic("net/http is not initialized")
	}
}

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	return drv{}
}`)
	files := tree(t, "testdata/host")
	files["std.go"] = "package main\n\nimport (\n\t\"net/http\"\n\t\"text/template\"\n)\n\nvar _ = template.Must(template.New(\"\").Parse(http.MethodGet))\n"
	program := fixture.Program(t, fixture.Source{Name: "probehost", Files: files})
	cmd, said := command(t, job{Cache: t.TempDir(), File: fixture.Build(t, std), Loaders: 1, Each: 1, Timeout: hostLimit}, filepath.Join(t.TempDir(), "out"))
	cmd.Path = program
	require.NoError(t, cmd.Run(), "%s", said)
	require.Contains(t, read(t, cmd.Args[2]), `"Value":"probestd"`)
}
