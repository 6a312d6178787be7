package inspect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/internal/procgroup"
	"github.com/keyway-go/keyway/loader/inspect"
)

// Hosts and drivers of the matrix are tiny, as many a flag has the standard
// library compiled anew. They share a package of a module.
const (
	matrixHost = `package main

import (
	"os"
	"plugin"

	"example.com/dep"
)

func main() {
	_ = dep.Value
	if _, err := plugin.Open(os.Args[1]); err != nil {
		println("refused:", err.Error())
		os.Exit(9)
	}
	println("loaded")
}
`
	matrixDriver = `package main

import "example.com/dep"

var DriverManifest = "{}"

func NewDriver() int { return len(dep.Value) }
`
	// A host that can load nothing still can be asked.
	noPlugins = "package main\n\nimport \"example.com/dep\"\n\nfunc main() { panic(dep.Value) }\n"
)

// variant is a way to build a host and a driver, where the toolchain can.
type variant struct {
	name      string
	args, env []string
	files     map[string]string // besides the usual, or in their place
	mod       string            // version and place of example.com/dep in go.mod
	command   string            // "" is the go command in PATH
	only      string            // "host" or "driver", "" is both
	needs     string            // what a machine may lack, and what to install then
}

const oldGo = "/usr/lib/go-1.19/bin/go"

func variants() []variant {
	flag := func(name string, args ...string) variant { return variant{name: name, args: args} }
	env := func(name string, env ...string) variant { return variant{name: name, env: env} }
	importing := func(imp string, v variant) variant {
		v.files = map[string]string{"more.go": "package main\n\nimport _ \"" + imp + "\"\n"}
		return v
	}
	const gcc, clang = "gcc with its sanitizers: apt-get install gcc", "clang with its sanitizers: apt-get install clang libclang-rt-dev"
	byClang := func(name string, args ...string) variant {
		return variant{name: name, args: args, env: []string{"CC=clang", "CXX=clang++"}, needs: clang}
	}
	// Flags of the C compiler, of which the go command takes no notice.
	inC := func(cc, sanitizer, needs string) variant {
		flag := "-fsanitize=" + sanitizer
		return variant{name: sanitizer + " by " + cc + " in C", env: []string{"CC=" + cc, "CGO_CFLAGS=" + flag, "CGO_LDFLAGS=" + flag}, only: "driver",
			files: map[string]string{"c.go": "package main\n\n// int answer(void) { return 2; }\nimport \"C\"\n\nvar Answer = C.answer()\n"}, needs: needs}
	}
	dep := func(name, mod string) variant { return variant{name: name, mod: mod} }
	patched := map[string]string{"dep/dep.go": "package dep\n\nvar Value = []string{\"patched\"}\n"}
	return []variant{
		{name: "plain"}, flag("paths", "-trimpath=false"), flag("race", "-race"), flag("stripped", "-ldflags=-s -w"),
		{name: "asan", args: []string{"-asan"}, needs: gcc}, byClang("msan", "-msan"), byClang("asan by clang", "-asan"),
		flag("tags", "-tags=special"), flag("tags without effect", "-tags=nothing"), importing("os/user", variant{name: "os/user"}),
		importing("os/user", flag("tags of os/user", "-tags=osusergo")),
		flag("cover", "-cover"), flag("cover of a dependency", "-cover", "-coverpkg=example.com/dep"),
		flag("gcflags", "-gcflags=-N -l"), flag("gcflags of all", "-gcflags=all=-N -l"), flag("linked by gcc", "-ldflags=-linkmode=external"),
		env("v3", "GOAMD64=v3"), importing("crypto/sha256", variant{name: "crypto"}),
		importing("crypto/sha256", env("fips", "GOFIPS140=v1.0.0")), importing("crypto/sha256", env("fips latest", "GOFIPS140=latest")),
		env("experiment", "GOEXPERIMENT=jsonv2"),
		dep("other version", "v1.1.0 => ./dep"), dep("other place", "v1.0.0 => ../src/dep"),
		{name: "patched", files: patched},
		{name: "Go 1.19", command: oldGo, needs: "another toolchain: apt-get install golang-1.19-go golang-1.19-src"},
		{name: "pie", args: []string{"-buildmode=pie"}, only: "host"},
		{name: "static", args: []string{"-ldflags=-linkmode=external -extldflags=-static"}, only: "host", needs: "libc.a: apt-get install libc6-dev"},
		importing("os/user", variant{name: "without cgo", env: []string{"CGO_ENABLED=0"}, only: "host"}),
		{name: "without plugin", files: map[string]string{"main.go": noPlugins}, only: "host"},
		inC("gcc", "address", gcc), inC("gcc", "thread", gcc), inC("gcc", "undefined", gcc), inC("clang", "memory", clang), inC("clang", "undefined", clang),
	}
}

// build returns the file of one side, or "" where the machine lacks something.
func (v variant) build(t *testing.T, side string) string {
	t.Helper()
	place := "v1.0.0 => ./dep"
	if v.mod != "" {
		place = v.mod
	}
	version, dir, _ := strings.Cut(place, " => ")
	files := map[string]string{
		"go.mod":         fmt.Sprintf("module example.com/%s\n\ngo 1.19\n\nrequire example.com/dep %s\n\nreplace example.com/dep => %s\n", side, version, dir),
		"dep/go.mod":     "module example.com/dep\n\ngo 1.19\n",
		"dep/dep.go":     "package dep\n\nvar Value = \"value\"\n",
		"dep/special.go": "//go:build special\n\npackage dep\n\nvar Special = 1\n",
		"main.go":        matrixHost,
	}
	// The place of dep differs, which only file names without it do not tell.
	args := append([]string{"-trimpath"}, v.args...)
	if side == "driver" {
		files["main.go"], args = matrixDriver, append([]string{"-buildmode=plugin"}, args...)
	}
	maps.Copy(files, v.files)
	command := v.command
	if command == "" {
		command = "go"
	}
	file, err := fixture.Exact(t, command, fixture.Source{Name: side, Files: files, Args: args, Env: v.env})
	if err != nil && v.needs != "" {
		t.Logf("without %q, which needs %s: %.300v", v.name, v.needs, err)
		return ""
	}
	require.NoError(t, err, v.name)
	return file
}

// TestMatrix builds hosts and drivers with every flag that matters on either
// side, and lets each host open each driver: the verdict must be the truth.
// With nothing built it takes some minutes of two processors; later runs take
// seconds.
func TestMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("builds many binaries")
	}
	t.Setenv("ASAN_OPTIONS", "")
	type built struct {
		name, file string
		facts      *inspect.Facts
	}
	sides := map[string][]built{}
	for _, v := range variants() {
		for _, side := range []string{"host", "driver"} {
			if v.only != "" && v.only != side {
				continue
			}
			if file := v.build(t, side); file != "" {
				facts, err := inspect.ReadFile(file)
				require.NoError(t, err, "%s, %s", side, v.name)
				assert.Equal(t, compiledFor[side+" "+v.name], sanitizersOf(facts), "%s, %s", side, v.name)
				sides[side] = append(sides[side], built{v.name, file, facts})
			}
		}
	}
	dir := t.TempDir()
	fits := 0
	for _, host := range sides["host"] {
		for _, driver := range sides["driver"] {
			misfits := inspect.FitIn(driver.facts, host.facts, inspect.Place{Machine: inspect.ThisMachine()})
			loaded, text := opens(t, dir, host.file, driver.file)
			assert.Equal(t, loaded, len(misfits) == 0, "host %s, driver %s: verdict %v, but plugin.Open: %.300s", host.name, driver.name, misfits, text)
			checkReason(t, host.name, driver.name, misfits)
			if loaded {
				fits++
			}
		}
	}
	pairs := len(sides["host"]) * len(sides["driver"])
	assert.Greater(t, fits, 30)
	assert.Greater(t, pairs-fits, 300)
	t.Logf("%d pairs, of which %d fit", pairs, fits)
}

// reasons are what must be said of a variant beside one without its flags; a
// variant that is not here fits.
var reasons = map[string]string{
	"paths": "-trimpath", "race": "-race", "asan": "-asan", "asan by clang": "-asan", "msan": "-msan", "tags": "-tags", "cover of a dependency": "-cover",
	"fips": "GOFIPS140", "experiment": "GOEXPERIMENT", "other version": "example.com/dep", "gcflags of all": "-gcflags", "tags of os/user": "-tags",
	"patched": "example.com/dep", "Go 1.19": "go version", "address by gcc in C": "-asan",
	"thread by gcc in C": "-fsanitize=thread", "memory by clang in C": "-msan", "undefined by clang in C": "-fsanitize=undefined",
	"static": "host program", "without cgo": "host program", "without plugin": "host program",
}

// compiledFor are the sanitizers that must show in each file, and where they
// are; what is not here has none.
var compiledFor = map[string]string{
	"host race": "thread in self", "driver race": "thread in self",
	"host asan": "address in libasan", "driver asan": "address in libasan", "driver address by gcc in C": "address in libasan",
	"host asan by clang": "address in self, undefined in self", "driver asan by clang": "address in ",
	"host msan": "memory in self, undefined in self", "driver msan": "memory in ", "driver memory by clang in C": "memory in ",
	"driver thread by gcc in C": "thread in libtsan", "driver undefined by gcc in C": "undefined in libubsan", "driver undefined by clang in C": "undefined in ",
}

func sanitizersOf(f *inspect.Facts) string {
	var all []string
	for _, s := range f.Sanitizers {
		library, _, _ := strings.Cut(s.Runtime, ".so")
		all = append(all, s.Name+" in "+library)
	}
	return strings.Join(all, ", ")
}

// baseOf is the variant that differs from another in nothing but its flags.
func baseOf(name string) string {
	switch name {
	case "os/user", "tags of os/user", "without cgo":
		return "os/user"
	case "crypto", "fips", "fips latest":
		return "crypto"
	}
	return "plain"
}

// checkReason checks the cause where it is certain.
func checkReason(t *testing.T, host, driver string, misfits []inspect.Misfit) {
	t.Helper()
	name := driver
	if driver == baseOf(host) {
		name = host
	} else if host != baseOf(driver) {
		return
	}
	subjects := []string{}
	for _, m := range misfits {
		subjects = append(subjects, m.Subject)
		assert.NotEmpty(t, m.Remedy)
	}
	if want, ok := reasons[name]; ok {
		assert.Contains(t, subjects, want, "host %s, driver %s", host, driver)
	} else {
		assert.Empty(t, subjects, "host %s, driver %s", host, driver)
	}
	assert.LessOrEqual(t, len(subjects), 2, "host %s, driver %s: %v", host, driver, misfits)
}

// opens reports whether a host can open a driver, and what it said.
func opens(t *testing.T, dir, host string, drivers ...string) (bool, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, host, drivers...)
	cmd.Env = append(os.Environ(), "GOCOVERDIR="+dir, "GOTRACEBACK=none")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	procgroup.Own(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(filepath.Base(host), err)
	}
	return err == nil, strings.TrimSpace(out.String())
}
