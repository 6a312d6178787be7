//go:build linux

package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader/inspect"
)

// healthy sets the environment so that the checks find nothing, and returns the
// options for it. The directory for temporary files is a new one.
func healthy(t *testing.T) Options {
	t.Helper()
	host, err := inspect.Self()
	require.NoError(t, err)
	for _, name := range []string{"GOFLAGS", "GOTMPDIR", "CGO_ENABLED", "CC", "GOEXPERIMENT", "GOFIPS140", "GOOS", "GOARCH", "GOAMD64", "GOARM64"} {
		t.Setenv(name, "")
	}
	t.Setenv("GOENV", "off")
	t.Setenv("TMPDIR", t.TempDir())
	return Options{CacheDir: filepath.Join(t.TempDir(), "staged"), Host: host}
}

// examine does all checks and returns what they found, by name.
func examine(t *testing.T, o Options) map[string]Finding {
	t.Helper()
	list, err := Examine(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, list, len(checks))
	found := map[string]Finding{}
	for _, f := range list {
		found[f.Check] = f
		require.NotEmpty(t, f.Found, f.Check)
		require.NotContains(t, f.Found+f.Breaks+f.Remedy, "\n", f.Check)
		require.Equal(t, f.Status == OK, f.Breaks == "", f)
		require.Equal(t, f.Status == OK, f.Remedy == "", f)
	}
	left, err := os.ReadDir(os.TempDir())
	if err == nil {
		require.Empty(t, left, "temporary files were left")
	}
	return found
}

func TestHealthyMachine(t *testing.T) {
	for name, f := range examine(t, healthy(t)) {
		switch name {
		case "build cache", "temporary files", "driver cache", "open files", "memory", "file size", "processes":
			require.NotEqual(t, Bad, f.Status, f) // room and limits are the machine's
		default:
			require.Equal(t, OK, f.Status, f)
		}
	}
}

// TestEnvironment has a fault of the environment for each check.
func TestEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		env                          []string // name, value, ...
		check                        string
		status                       Status
		found, breaks, remedy, other string // other is a check that must stay ok
	}{
		"no such toolchain": {[]string{"GOTOOLCHAIN", "go1.2x", "GOPROXY", "off"}, "go", Bad, "does not run", "drivercheck build", "unset GOTOOLCHAIN", "c compiler"},
		"trimpath":          {[]string{"GOFLAGS", fmt.Sprintf("-trimpath=%v -mod=mod", !trimmed(t))}, "flags", Warn, "GOFLAGS with -trimpath", "plain go build", "unset GOFLAGS", "go"},
		"tags":              {[]string{"GOFLAGS", "--tags=extra"}, "flags", Warn, "--tags=extra", "plain go build", "unset GOFLAGS", "platform"},
		"other system":      {[]string{"GOOS", "freebsd"}, "platform", Warn, `GOOS=freebsd, for a program with "linux"`, "plain go build", "unset GOOS", "flags"},
		"FIPS":              {[]string{"GOFIPS140", "latest"}, "platform", Warn, "GOFIPS140=latest", "plain go build", "unset GOFIPS140", "cgo"},
		"no cgo":            {[]string{"CGO_ENABLED", "0"}, "cgo", Warn, "CGO_ENABLED=0", "plain go build", "unset CGO_ENABLED", "c compiler"},
		"no compiler":       {[]string{"CC", "no-such-compiler -m64"}, "c compiler", Bad, "no C compiler no-such-compiler -m64 in PATH", "every build of a driver", "apt-get install gcc", "go"},
		"broken compiler":   {[]string{"CC", "gcc --no-such-flag"}, "c compiler", Bad, "no-such-flag", "every build of a driver", "apt-get install gcc", "go"},
		"no build cache":    {[]string{"GOCACHE", "off"}, "build cache", Bad, `GOCACHE="off"`, "every build", "unset GOCACHE", "go"},
		"bad build cache":   {[]string{"GOCACHE", "/dev/null/cache"}, "build cache", Bad, "not a directory", "every build", "export GOCACHE", "go"},
		"no TMPDIR":         {[]string{"TMPDIR", "/no/such/directory"}, "temporary files", Bad, "no such file", "drivercheck build", "export TMPDIR", "go"},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(t)
			require.Equal(t, OK, examine(t, o)[c.check].Status, "before")
			for i := 0; i < len(c.env); i += 2 {
				t.Setenv(c.env[i], c.env[i+1])
			}
			all := examine(t, o)
			f := all[c.check]
			require.Equal(t, c.status, f.Status, f)
			require.Contains(t, f.Found, c.found)
			require.Contains(t, f.Breaks, c.breaks)
			require.Contains(t, f.Remedy, c.remedy)
			require.Equal(t, OK, all[c.other].Status, all[c.other])
		})
	}
}

func trimmed(t *testing.T) bool {
	host, err := inspect.Self()
	require.NoError(t, err)
	return host.Settings["-trimpath"] == "true"
}

// What comes from the go command's own file is not in the environment.
func TestUnsetNamesWhereItCameFrom(t *testing.T) {
	o := healthy(t)
	file := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(file, []byte("GOFLAGS=-cover\n"), 0o600))
	t.Setenv("GOENV", file)
	require.Equal(t, "go env -u GOFLAGS", examine(t, o)["flags"].Remedy)
}

// Flags that are those of the program do no harm.
func TestFlagsOfTheProgram(t *testing.T) {
	for text, settings := range map[string]map[string]string{
		"-trimpath":                       {"-trimpath": "true"},
		"-trimpath=false -tags= -gcflags": {"-gcflags": "true"},
		"-tags=a,b -mod=mod":              {"-tags": "a,b"},
		"":                                {"-race": "true"}, // drivercheck build adds it
	} {
		p := &patient{Options: Options{Host: &inspect.Facts{Settings: settings}}, goEnv: map[string]string{"GOFLAGS": text}}
		require.Empty(t, flags(t.Context(), p).Status, text)
	}
}

func TestWithoutGo(t *testing.T) {
	o := healthy(t)
	t.Setenv("PATH", t.TempDir())
	all := examine(t, o)
	require.Equal(t, Bad, all["go"].Status)
	require.Contains(t, all["go"].Found, "none in PATH")
	require.Contains(t, all["go"].Remedy, "install "+runtime.Version())
	require.Equal(t, Bad, all["c compiler"].Status)
	for _, name := range []string{"platform", "flags", "cgo", "build cache"} {
		require.Equal(t, Warn, all[name].Status, name)
	}
	require.Equal(t, OK, all["program"].Status)
}

// fakeGo puts a shell script in the place of the go command.
func fakeGo(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

func TestOtherGo(t *testing.T) {
	o := healthy(t)
	fakeGo(t, `echo '{"GOVERSION": "go1.24.4", "GOTOOLCHAIN": "local", "CGO_ENABLED": "1"}'`)
	f := examine(t, o)["go"]
	require.Equal(t, Bad, f.Status)
	require.Contains(t, f.Found, "go1.24.4, GOTOOLCHAIN=local, and not the "+inspect.Release(o.Host.GoVersion))
	require.Equal(t, "export GOTOOLCHAIN="+inspect.Release(o.Host.GoVersion), f.Remedy)

	fakeGo(t, "echo no license >&2; exit 3")
	require.Contains(t, examine(t, o)["go"].Found, "does not run: exit status 3: no license")
	fakeGo(t, "echo '{'")
	require.Equal(t, Bad, examine(t, o)["go"].Status)
}

func TestGoHangs(t *testing.T) {
	o := healthy(t)
	o.Timeout = 200 * time.Millisecond
	fakeGo(t, "sleep 60 & sleep 60")
	start := time.Now()
	list, err := Examine(t.Context(), o)
	require.NoError(t, err)
	require.Contains(t, list[1].Found, "did not end within 200ms")
	require.Less(t, time.Since(start), 20*time.Second)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Examine(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
}

func TestDriverCache(t *testing.T) {
	o := healthy(t)
	require.NoError(t, os.Mkdir(o.CacheDir, 0o700))
	require.NoError(t, os.Chmod(o.CacheDir, 0o777))
	f := examine(t, o)["driver cache"]
	require.Equal(t, Bad, f.Status)
	require.Contains(t, f.Found, "others may write to it")
	require.Contains(t, f.Remedy, "chmod go-w "+o.CacheDir)
}

func TestNoexec(t *testing.T) {
	var temp, own, cache Finding
	elsewhere := t.TempDir()
	fixture.Tmpfs(t, syscall.MS_NOEXEC, "mode=0700", func(dir string) {
		// The thread that sees the directory is this one.
		old := os.Getenv("TMPDIR")
		os.Setenv("TMPDIR", dir)
		defer os.Setenv("TMPDIR", old)
		temp = temporary(t.Context(), &patient{})
		own = temporary(t.Context(), &patient{goEnv: map[string]string{"GOTMPDIR": elsewhere}})
		cache = driverCache(t.Context(), &patient{Options: Options{CacheDir: filepath.Join(dir, "staged")}})
	})
	require.Equal(t, Warn, temp.Status)
	require.Contains(t, temp.Found, "noexec")
	require.Contains(t, temp.Remedy, "export GOTMPDIR=")
	require.NotContains(t, own.Found, "noexec", "GOTMPDIR is elsewhere")
	require.Equal(t, Bad, cache.Status)
	require.Contains(t, cache.Found, "mounted noexec")
}

func TestRoom(t *testing.T) {
	var low, enough Finding
	fixture.Tmpfs(t, 0, "size=1m", func(dir string) {
		low = room(dir, "here", 2*megabyte, "much", "make room")
		enough = room(dir, "here", megabyte/2, "much", "make room")
	})
	require.Equal(t, Finding{Status: Warn, Found: "here can be written, 1 MB free", Breaks: "much", Remedy: "make room"}, low)
	require.Equal(t, Finding{Found: "here can be written, 1 MB free"}, enough)
}

func TestLimits(t *testing.T) {
	values := map[resource]uint64{limitFiles: 1023, limitMemory: 4<<30 - 1, limitFileSize: 1 << 20, limitProcesses: 255}
	low := &patient{limit: func(r resource) (uint64, bool) { return values[r], true }}
	enough := &patient{limit: func(r resource) (uint64, bool) { return values[r]*1000 + 1000, true }}
	none := &patient{limit: func(resource) (uint64, bool) { return 0, false }}
	for letter, look := range map[string]func(context.Context, *patient) Finding{"n 1024": openFiles, "v 4194304": memory, "f 524288": fileSize, "u 256": processes} {
		f := look(t.Context(), low)
		if letter == "u 256" && os.Geteuid() == 0 {
			require.Equal(t, Finding{Found: "no limit of processes for root"}, f)
			continue
		}
		require.Equal(t, Warn, f.Status, letter)
		require.True(t, strings.HasPrefix(f.Remedy, "ulimit -S"+letter+", "), f.Remedy)
		require.Empty(t, look(t.Context(), enough).Status, letter)
		require.Empty(t, look(t.Context(), none).Status, letter)
	}
}

func TestLimitsOfTheSystem(t *testing.T) {
	var old syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	lower := syscall.Rlimit{Cur: min(old.Max, 1<<40), Max: old.Max}
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &lower))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old)) }()
	soft, limited := limitOf(limitFileSize)
	require.True(t, limited)
	require.Equal(t, lower.Cur, soft)
}
