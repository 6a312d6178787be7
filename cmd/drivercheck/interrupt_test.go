//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// writeInterrupted writes a module whose build has many steps: several packages,
// and C.
func writeInterrupted(t *testing.T, name string) string {
	t.Helper()
	files := map[string]string{
		"go.mod":        "module example.com/" + name + "\n\ngo 1.26\n",
		"driver.json":   fixture.Manifest(name, "1.0.0"),
		"driver.go":     strings.ReplaceAll(interruptedDriver, "NAME", name),
		"plain/main.go": "package main\n\nimport driver \"example.com/" + name + "\"\n\nvar NewDriver = driver.NewDriver\n\nfunc main() {}\n",
		"c/c.go":        "package c\n\nimport p \"example.com/" + name + "/p0\"\n\n// int f(void) { return 1; }\nimport \"C\"\n\nfunc F() int { return p.F() + int(C.f()) }\n",
		"p5/p.go":       "package p\n\nfunc F() int { return 1 }\n",
	}
	for i := range 5 {
		files[fmt.Sprintf("p%d/p.go", i)] = fmt.Sprintf("package p\n\nimport p \"example.com/%s/p%d\"\n\nfunc F() int { return 1 + p.F() }\n", name, i+1)
	}
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	return dir
}

const interruptedDriver = `package driver

import (
	"database/sql/driver"
	_ "embed"

	"example.com/NAME/c"
)

//go:embed driver.json
var DriverManifest string

type drv struct{}

func (drv) Name() string                                   { return "NAME" }
func (drv) OpenConnector(string) (driver.Connector, error) { _ = c.F(); return nil, nil }

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	return drv{}
}
`

// builder runs drivercheck build, and plain go build, with a cache and a
// directory for temporary files that belong to the test.
type builder struct{ dir, out, temp, cache string }

func newBuilder(t *testing.T) *builder {
	return &builder{out: t.TempDir(), temp: t.TempDir(), cache: t.TempDir()}
}

func (b *builder) file() string { return filepath.Join(b.out, "driver.so") }

func (b *builder) env() []string {
	return append(os.Environ(), "GOCACHE="+b.cache, "TMPDIR="+b.temp, "GOWORK=off", "GOFLAGS=", "PWD="+b.dir)
}

// build runs drivercheck build, interrupts it after a while unless that is 0,
// and returns its exit code, -1 if the signal ended it, and what it said.
func (b *builder) build(t *testing.T, after time.Duration, sig os.Signal) (int, string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = []string{"drivercheck", "build", b.dir, "-o", b.file()}
	cmd.Env = b.env()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(sig) })
		defer timer.Stop()
	}
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// plain returns what plain go build makes of the module. It uses what an
// isolated build would have put into the cache under a wrong name.
func (b *builder) plain(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(b.out, "plain.so")
	cmd := exec.Command("go", "build", "-buildmode=plugin", "-buildvcs=false", "-o", out, "./plain")
	if fixture.Host(t).Settings["-race"] == "true" {
		cmd.Args = append(cmd.Args[:2:2], append([]string{"-race"}, cmd.Args[2:]...)...)
	}
	cmd.Dir, cmd.Env = b.dir, b.env()
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	return take(t, out)
}

func take(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.Remove(file))
	return content
}

// leftNothing checks that no file is left, and no process that has the
// directory for temporary files in its environment.
func (b *builder) leftNothing(t *testing.T, when string) {
	t.Helper()
	for _, dir := range []string{b.out, b.temp} {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left, "%s: files", when)
	}
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := b.processes()
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			assert.Empty(t, left, "%s: processes", when)
			return
		}
	}
}

func (b *builder) processes() (commands []string) {
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environs {
		text, err := os.ReadFile(file)
		if err == nil && bytes.Contains(text, []byte(b.temp)) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			commands = append(commands, fmt.Sprintf("%.200s", strings.ReplaceAll(string(command), "\x00", " ")))
		}
	}
	return commands
}

// Guards what a user does who presses Ctrl-C, at whatever moment: nothing is
// left behind, and what the go command has cached until then is right for the
// next isolated build and for ordinary ones.
func TestBuildInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the standard library twice, into caches of its own")
	}
	b, fresh := newBuilder(t), newBuilder(t)
	// The first module comes with the standard library, the second without.
	for i, slower := range []time.Duration{2, 6} {
		b.dir = writeInterrupted(t, fmt.Sprintf("interrupted%d", i))
		fresh.dir = b.dir
		b.interruptUntilBuilt(t, slower)
		afterwards := take(t, b.file())
		b.leftNothing(t, "built")

		code, said := fresh.build(t, 0, nil)
		require.Zero(t, code, said)
		load(t, fresh.file())
		assert.True(t, bytes.Equal(take(t, fresh.file()), afterwards), "the isolated builds differ")
		assert.True(t, bytes.Equal(fresh.plain(t), b.plain(t)), "ordinary builds differ")
	}
}

// interruptUntilBuilt interrupts a build later each time, as each attempt finds
// in the cache what the ones before it have finished.
func (b *builder) interruptUntilBuilt(t *testing.T, slower time.Duration) {
	t.Helper()
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	interrupts := 0
	for after := 30 * time.Millisecond; ; after += after / slower {
		code, said := b.build(t, after, signals[interrupts%2])
		if code == 0 {
			break
		}
		when := fmt.Sprintf("interrupted after %v", after)
		interrupts++
		b.leftNothing(t, when)
		if code >= 0 { // else it had not begun to listen
			assert.Equal(t, 1, code, when)
			assert.Equal(t, "drivercheck: interrupted\n", said, when)
		}
	}
	t.Logf("%d interrupts", interrupts)
	require.Greater(t, interrupts, 3)
}

func load(t *testing.T, file string) {
	t.Helper()
	l, err := loader.New(loader.Config{CacheDir: t.TempDir()})
	require.NoError(t, err)
	_, err = l.LoadFile(t.Context(), file)
	require.NoError(t, err)
}
