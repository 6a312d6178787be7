package inspect

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Real files, each built at most once in a run, in a folder that TestMain
// removes. Sources import next to nothing, so that a cold cache costs little.

var builds struct {
	dir string
	mu  sync.Mutex // protects done
	// done holds one builder for each recipe. Recipes are compared by text.
	done map[string]func() (file, error)
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "inspect")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	builds.dir, builds.done = dir, map[string]func() (file, error){}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// recipe is a module and how to build it.
type recipe struct {
	module string // its path
	source string // main.go
	extra  map[string]string
	mode   string
	args   string // one a line
	env    string // one a line
	files  string // what to build instead of the folder
}

func (r recipe) with(args ...string) recipe {
	r.args = strings.Join(args, "\n")
	return r
}

func (r recipe) inMode(mode string) recipe { r.mode = mode; return r }

// file is the path of a binary.
type file string

func (f file) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(string(f))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f file) facts(t testing.TB) *Facts {
	t.Helper()
	facts, err := ReadFile(string(f))
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

// build builds the recipe, or returns what it built before.
func build(t testing.TB, r recipe) file {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a binary")
	}
	key := fmt.Sprintf("%#v", r)
	builds.mu.Lock()
	once, ok := builds.done[key]
	if !ok {
		dir := filepath.Join(builds.dir, fmt.Sprint(len(builds.done)))
		once = sync.OnceValues(func() (file, error) { return r.run(dir) })
		builds.done[key] = once
	}
	builds.mu.Unlock()
	f, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (r recipe) run(dir string) (file, error) {
	files := map[string]string{"go.mod": "module " + r.module + "\n\ngo 1.26\n", "main.go": r.source}
	for name, text := range r.extra {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	out := filepath.Join(dir, "out.bin")
	args := []string{"build", "-o", out}
	if r.mode != "" {
		args = append(args, "-buildmode="+r.mode)
	}
	args = append(args, nonEmpty(strings.Split(r.args, "\n"))...)
	cmd := exec.Command("go", append(args, nonEmpty([]string{r.files})...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local", "GOPROXY=off", "CGO_ENABLED=1")
	cmd.Env = append(cmd.Env, nonEmpty(strings.Split(r.env, "\n"))...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %q: %w\n%s", args, err, bytes.TrimSpace(text))
	}
	return file(out), nil
}

func nonEmpty(in []string) (out []string) {
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// tiny is a plugin that exports what a driver does, and has what it must not
// export beside it.
var tiny = recipe{
	module: "example.com/tiny.v2", mode: "plugin",
	source: `package main

import _ "embed"

//go:embed driver.json
var DriverManifest string

var Extra, hidden = 3, 4

type T struct{}

func (T) Exported()   {}
func (*T) Pointer()   {}
func Generic[E any]() {}
func helper() int     { return hidden }

func NewDriver() int   { Generic[int](); return helper() }
func Second() (f func()) { return func() { T{}.Exported(); (&T{}).Pointer() } }
`,
	extra: map[string]string{"driver.json": `{"name":"tiny"}`},
}

// bare is a plugin with one declaration.
func bare(declaration string) recipe {
	return recipe{module: "example.com/bare", mode: "plugin", source: "package main\n\n" + declaration + "\n"}
}

// program imports plugin, opens the file it is given and says how that went.
var program = recipe{
	module: "example.com/host",
	source: `package main

import (
	"os"
	"plugin"
)

func main() {
	if _, err := plugin.Open(os.Args[1]); err != nil {
		println("refused:", err.Error())
		os.Exit(9)
	}
	println("loaded")
}
`,
}

// plain is a program without plugins.
var plain = recipe{module: "example.com/plain", source: "package main\n\nfunc main() { println(1) }\n"}
