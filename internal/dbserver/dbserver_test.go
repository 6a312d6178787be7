package dbserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var products = []Product{Postgres, MariaDB}

// TestMain makes the test binary a program that starts a server, says where,
// and waits, for tests that kill it.
func TestMain(m *testing.M) {
	p := Product(os.Getenv("KEYWAY_TEST_START"))
	if p == "" {
		os.Exit(m.Run())
	}
	s, err := Start(context.Background(), p)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.guard.cmd.Process.Pid, s.dir, s.DSN)
	time.Sleep(time.Minute)
}

// started starts a server of the test's own.
func started(t *testing.T, p Product) *Server {
	t.Helper()
	begin := time.Now()
	s, err := Start(t.Context(), p)
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%s was ready after %v", p, time.Since(begin))
	return s
}

// client runs the product's own command line client.
func client(t *testing.T, s *Server, socket bool, password, sql string) (string, error) {
	t.Helper()
	var cmd *exec.Cmd
	switch s.Product {
	case Postgres:
		host := s.Host
		if socket {
			host = filepath.Dir(s.Socket)
		}
		cmd = exec.Command("psql", "--no-psqlrc", "-XAt", "-w", "-h", host, "-p", strconv.Itoa(s.Port), "-U", s.User, "-c", sql, s.Database)
		cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	case MariaDB:
		args := []string{"--no-defaults", "-N", "--protocol=tcp", "-h", s.Host, "-P", strconv.Itoa(s.Port)}
		if socket {
			args = []string{"--no-defaults", "-N", "--protocol=socket", "-S", s.Socket}
		}
		cmd = exec.Command("mariadb", append(args, "-u", s.User, "--password="+password, "-e", sql, s.Database)...)
	}
	if cmd.Err != nil {
		t.Skipf("needs the client: %v", cmd.Err)
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestServerWorks(t *testing.T) {
	for _, p := range products {
		t.Run(string(p), func(t *testing.T) {
			s := started(t, p)
			for _, socket := range []bool{false, true} {
				if out, err := client(t, s, socket, s.Password, "SELECT 6 * 7"); err != nil || out != "42" {
					t.Errorf("socket %v: %q, %v", socket, out, err)
				}
			}
			if out, err := client(t, s, false, "wrong", "SELECT 6 * 7"); err == nil {
				t.Errorf("over TCP a wrong password is accepted: %q", out)
			}
			if _, err := os.Stat(filepath.Join(s.dir, secretFile)); err == nil {
				t.Error("the password lies in a file")
			}
			if environ := readProc(s.guard.cmd.Process.Pid, "environ"); !strings.Contains(environ, "LC_ALL=C") {
				t.Errorf("the guard's environment is unreadable: %q", environ)
			}
			for _, pid := range tree(t, s.guard.cmd.Process.Pid) {
				for _, name := range []string{"environ", "cmdline"} {
					if strings.Contains(readProc(pid, name), s.Password) {
						t.Errorf("the password is in %s of %s", name, readProc(pid, "comm"))
					}
				}
				if status := readProc(pid, "status"); strings.Contains(status, "\nUid:\t0\t") {
					t.Errorf("runs as root:\n%s", status)
				}
			}
		})
	}
}

func TestStopLeavesNothing(t *testing.T) {
	for _, p := range products {
		t.Run(string(p), func(t *testing.T) {
			s := started(t, p)
			busy(t, s)
			pids := tree(t, s.guard.cmd.Process.Pid)
			if len(pids) < 2 {
				t.Fatalf("the server has no process: %v", pids)
			}
			begin := time.Now()
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			t.Logf("ended after %v", time.Since(begin))
			gone(t, pids, s.dir)
			if c, err := net.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port))); err == nil {
				c.Close()
				t.Error("the port is open")
			}
			if err := s.Stop(); err != nil {
				t.Errorf("second Stop: %v", err)
			}
		})
	}
}

// busy makes a session of the server compute, so that it does not notice
// quickly that its server is gone.
func busy(t *testing.T, s *Server) {
	t.Helper()
	sql := map[Product]string{
		Postgres: "SELECT count(*) FROM generate_series(1, 100000000000) a",
		MariaDB:  "SELECT BENCHMARK(100000000000, SHA2('x', 512))",
	}[s.Product]
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = client(t, s, true, s.Password, sql)
	}()
	t.Cleanup(func() { <-done })
	time.Sleep(300 * time.Millisecond)
	select {
	case <-done:
		t.Fatal("the query ended at once")
	default:
	}
}

// A killed process leaves nothing, at whatever time it is killed.
func TestKilledParent(t *testing.T) {
	for _, p := range products {
		for _, when := range []string{"ready", "starting"} {
			for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
				t.Run(fmt.Sprintf("%s/%s/%v", p, when, sig), func(t *testing.T) { testKilledParent(t, p, when == "ready", sig) })
			}
		}
	}
}

func testKilledParent(t *testing.T, p Product, ready bool, sig syscall.Signal) {
	if _, err := planFor(p); err != nil {
		t.Skip(err)
	}
	temp := temporary(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "KEYWAY_TEST_START="+string(p), "TMPDIR="+temp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	for deadline := time.Now().Add(startTime); ; time.Sleep(5 * time.Millisecond) {
		dirs, _ := filepath.Glob(filepath.Join(temp, "keyway-*", "data"))
		if len(dirs) == 1 && (!ready || listening(filepath.Dir(dirs[0]))) {
			break
		}
		if time.Now().After(deadline) {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			t.Fatal("no directory")
		}
	}
	pids := tree(t, pid)
	if len(pids) < 2 {
		t.Errorf("nothing was started: %v", pids)
	}
	if err := syscall.Kill(-pid, sig); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	gone(t, pids, filepath.Join(temp, "keyway-"+string(p)+"-*"))
}

// listening tells whether a server has logged that it accepts connections.
func listening(dir string) bool {
	text, _ := os.ReadFile(filepath.Join(dir, "log"))
	return bytes.Contains(text, []byte("ready ")) // both say "ready to accept" or "ready for"
}

// temporary returns a directory that is short enough for sockets, and usable as
// TMPDIR by the user as whom a server runs.
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

// gone waits until no process and no file is left.
func gone(t *testing.T, pids []int, pattern string) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		left, _ = filepath.Glob(pattern)
		for _, pid := range pids {
			if stat := readProc(pid, "stat"); stat != "" && !strings.Contains(stat, ") Z ") {
				left = append(left, stat)
			}
		}
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("left over: %q", left)
}

// tree returns a process and those that it started, and so on.
func tree(t *testing.T, root int) []int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	children := map[int][]int{}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, e := range entries {
		pid, _ := strconv.Atoi(filepath.Base(e))
		if _, after, ok := strings.Cut(readProc(pid, "stat"), ") "); ok {
			parent, _ := strconv.Atoi(strings.Fields(after)[1])
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

func readProc(pid int, name string) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	return string(text)
}

// record is a TB that remembers what a test would have said.
type record struct{ skipped, failed string }

func (*record) Helper()             {}
func (r *record) Skip(args ...any)  { r.skipped = fmt.Sprint(args...) }
func (r *record) Fatal(args ...any) { r.failed = fmt.Sprint(args...) }

func TestMissingPrograms(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dirs, files := mariadbDirs, postgresDirs
	mariadbDirs, postgresDirs = nil, filepath.Join(t.TempDir(), "*")
	t.Cleanup(func() { mariadbDirs, postgresDirs = dirs, files })
	started := shared.started
	shared.started = nil
	t.Cleanup(func() { shared.started = started })
	for p, install := range map[Product]string{Postgres: "apt-get install postgresql", MariaDB: "apt-get install mariadb-server"} {
		s, err := Start(t.Context(), p)
		if s != nil || !errors.Is(err, ErrMissing) || !strings.HasSuffix(err.Error(), install) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, %v", p, s, err)
		}
		var r record
		if Shared(&r, p); !strings.HasSuffix(r.skipped, install) || r.failed != "" {
			t.Errorf("%s: %+v", p, r)
		}
	}
	if _, err := Start(t.Context(), "oracle"); err == nil || errors.Is(err, ErrMissing) {
		t.Errorf("an unknown product: %v", err)
	}
}

// PostgreSQL's programs are taken from PATH, or else of the newest version.
func TestPostgresVersions(t *testing.T) {
	root := t.TempDir()
	old := postgresDirs
	postgresDirs = filepath.Join(root, "*", "bin")
	t.Cleanup(func() { postgresDirs = old })
	put := func(dir string, names ...string) string {
		dir = filepath.Join(root, dir)
		for _, name := range names {
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755)); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	put("9/bin", "initdb", "postgres")
	newest := put("15/bin", "initdb", "postgres")
	put("16/bin", "initdb") // a package for clients only
	first := put("path", "initdb", "postgres")
	t.Setenv("PATH", "relative")
	if bin, err := postgresBin(); err != nil || bin != newest {
		t.Errorf("got %q, %v, want %q", bin, err, newest)
	}
	t.Setenv("PATH", first)
	if bin, err := postgresBin(); err != nil || bin != first {
		t.Errorf("got %q, %v, want %q", bin, err, first)
	}
}

// fake puts programs into PATH that stand for those of both products.
func fake(t *testing.T, init, server string) {
	t.Helper()
	dir := temporary(t)
	for name, text := range map[string]string{"initdb": init, "mariadb-install-db": init, "postgres": server, "mariadbd": server} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestFailedStart(t *testing.T) {
	for name, c := range map[string]struct {
		product             Product
		init, server, fault string
	}{
		"no data":   {Postgres, "echo cannot make it >&2; exit 3", "", "making the data failed with code 3\ncannot make it"},
		"no server": {Postgres, "mkdir data", "echo cannot serve; exit 4", "the server ended with code 4\ncannot serve"},
		"hangs":     {MariaDB, "mkdir data", "echo working on it; exec sleep 100", "gave up waiting: context deadline exceeded\nworking on it"},
	} {
		t.Run(name, func(t *testing.T) {
			temp := temporary(t)
			t.Setenv("TMPDIR", temp)
			fake(t, c.init, c.server)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := Start(ctx, c.product)
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
			if left, _ := filepath.Glob(filepath.Join(temp, "keyway-*")); left != nil {
				t.Errorf("left over: %q", left)
			}
		})
	}
}

// A guard that cannot make its directory says why.
func TestNoPlace(t *testing.T) {
	fake(t, "", "")
	p, err := planFor(Postgres)
	if err != nil {
		t.Fatal(err)
	}
	// As root, Start would take another place.
	missing := filepath.Join(temporary(t), "missing")
	s := &Server{Product: Postgres, dir: filepath.Join(missing, "keyway")}
	if s.guard, err = p.launch(s, nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.guard.end(s.dir); err != nil {
			t.Error(err)
		}
	}()
	err = s.guard.ready(t.Context(), func(context.Context) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "No such file or directory") || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v", err)
	}
}

// Start tries another port when somebody has taken the first; both products
// say so in words that it knows.
func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, p := range products {
		s, err := start(t.Context(), p, l.Addr().(*net.TCPAddr).Port)
		if errors.Is(err, ErrMissing) {
			t.Skip(err)
		}
		if s != nil || !portTaken(err) {
			t.Errorf("%s: got %v, %v", p, s, err)
		}
	}
}

func TestSharedIsOne(t *testing.T) {
	a, b := Shared(t, Postgres), Shared(t, Postgres)
	if a != b {
		t.Error("two servers")
	}
}
