//go:build linux

package isolate_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/gobuild"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/isolate"
)

func TestMain(m *testing.M) {
	isolate.Tool()
	os.Exit(m.Run())
}

// everything is a driver whose packages reach each other, and out, in all the
// ways in which a path can matter. VERSION is its version and the answer of
// each of its parts. Asked for a connector to "part", it gives the answer of
// that part as an error.
var everything = map[string]string{
	"go.mod": `module example.com/iso

go 1.26

require (
	example.com/dep v1.0.0
	` + contractModule + ` v1.9.0
)

replace (
	example.com/dep => ./dep
	` + contractModule + ` => ./contract
)
`,
	"driver.json": `{"name": "iso", "version": "VERSION", "contract": {"name": "sql", "version": "^1.0"}}`,
	"driver.go": `package iso

import (
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"runtime"

	"example.com/dep"
	"example.com/iso/internal/asm"
	"example.com/iso/internal/c"
	"example.com/iso/internal/linked"
	"` + contractModule + `"
)

//go:embed driver.json
var DriverManifest string

type drv struct{}

func (drv) Name() string { return "iso" }

func (drv) Open(string) (driver.Conn, error) { return nil, errors.New("no") }

func init() {
	sql.
		Register(
			"iso",
			drv{},
		)
}

func (d drv) OpenConnector(part string) (driver.Connector, error) {
	switch part {
	case "dep":
		return nil, errors.New(dep.Version)
	case "asm":
		return nil, errors.New(asm.Version())
	case "c":
		return nil, errors.New(c.Version())
	case "callback":
		return nil, errors.New(c.Callback())
	case "c++":
		return nil, errors.New(c.CPP())
	case "static":
		return nil, errors.New(c.Static())
	case "linked":
		return nil, errors.New(linked.Version())
	case "contract":
		return nil, errors.New(contract.OnlyInVersion)
	case "register":
		return nil, errors.New(recorded[0])
	case "embeds":
		return nil, errors.New(embedded())
	case "generic":
		return nil, errors.New(dep.First([]string{"VERSION"}))
	case "unique":
		return nil, contract.WithSQLState(errors.New("twice"), "23505")
	}
	_, file, line, _ := runtime.Caller(0)
	return nil, fmt.Errorf("%s:%d", file, line)
}

func (drv) Dialect() string               { return "none" }
func (drv) Placeholder(int) string        { return "?" }
func (drv) QuoteIdentifier(string) string { return "" }

func NewDriver() contract.Driver { return drv{} }
`,
	"register.go": `package iso

import (
	. "database/sql"
	std "database/sql"
)

const also = "iso-also"

type recorder []string

func (r *recorder) Register(name string, _ any) { *r = append(*r, name) }

var recorded recorder

func init() {
	Register(also, drv{})
	register := std.Register
	register("iso-late", drv{})
	std := &recorded
	std.Register("recorded", nil)
}
`,
	"kept.txt": "",
	"all.go": `package iso

import (
	"embed"
	"io/fs"
)

//go:embed all:k*
var all embed.FS

func embedded() string {
	found := ""
	_ = fs.WalkDir(all, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found += name
		}
		return err
	})
	return found
}
`,
	"internal/asm/asm.go": `package asm

import "example.com/iso/internal/data"

func get() int64

func Version() string { return data.Versions[get()] }
`,
	"internal/asm/names.h":  "#include \"../data/index.h\"\n",
	"internal/data/index.h": "#define INDEX example·com∕iso∕internal∕data·Index(SB)\n",
	"internal/asm/asm_amd64.s": `#include "textflag.h"
#include "names.h"

TEXT ·get(SB), NOSPLIT, $0-8
	MOVQ INDEX, AX
	MOVQ example·com∕iso∕internal∕data·Index(SB), AX
	MOVQ AX, ret+0(FP)
	RET
`,
	"internal/asm/asm_arm64.s": `#include "textflag.h"

TEXT ·get(SB), NOSPLIT, $0-8
	MOVD example·com∕iso∕internal∕data·Index(SB), R0
	MOVD R0, ret+0(FP)
	RET
`,
	"internal/data/data.go": `package data

var (
	Index    int64 = 1
	Versions       = []string{"wrong", "VERSION"}
)

func hidden() string { return Versions[Index] }
`,
	"internal/linked/linked.go": `package linked

import (
	_ "unsafe"

	_ "example.com/iso/internal/data"
)

//go:linkname hidden example.com/iso/internal/data.hidden
func hidden() string

//go:linkname nanotime runtime.nanotime
func nanotime() int64

func Version() string {
	if nanotime() == 0 {
		return "no time"
	}
	return hidden()
}
`,
	"internal/linked/linked.s": "",
	"internal/c/c.go": `package c

/*
#cgo LDFLAGS: ${SRCDIR}/../../static/libstatic.a
#include "c.h"
*/
import "C"

func Version() string { return C.GoString(C.version()) }

func Static() string { return C.GoString(C.in_static()) }

func CPP() string { return C.GoString(C.in_cpp()) }

func Callback() string {
	C.callGo()
	return called
}

var called string

//export isoCalled
func isoCalled() { called = "VERSION" }
`,
	"internal/c/cpp.cc": "template <class T> struct once { static const char *value; };\ntemplate <class T> const char *once<T>::value = \"VERSION\";\nextern \"C\" const char *in_cpp(void) { return once<int>::value; }\n",
	"internal/c/c.h":    "const char *version(void);\nconst char *in_static(void);\nvoid callGo(void);\nvoid isoCalled(void);\nconst char *in_cpp(void);\n",
	"internal/c/c.c":    "#include \"c.h\"\n\nstatic const char *text = \"VERSION\";\nconst char *current(void) { return text; }\nconst char *version(void) { return current(); }\nvoid callGo(void) { isoCalled(); }\n",
	"static/s.c":        "const char *in_static(void) { return \"VERSION\"; }\n",
	"plain/main.go": `package main

import (
	"example.com/dep"
	"example.com/iso/internal/asm"
)

func main() { println(dep.Version, asm.Version()) }
`,
	"dep/go.mod":      "module example.com/dep\n\ngo 1.20\n",
	"dep/dep.go":      "package dep\n\nconst Version = \"VERSION\"\n\nfunc First[T any](s []T) T { return s[0] }\n",
	"contract/go.mod": "module " + contractModule + "\n\ngo 1.26\n",
	"contract/new.go": "package contract\n\n// OnlyInVersion is what no host has.\nconst OnlyInVersion = \"VERSION\"\n",
}

const contractModule = "github.com/keyway-go/keyway/contract"

// write writes the driver of a version, with the contract of this repository
// and something more.
func write(t *testing.T, dir, version string) string {
	t.Helper()
	files := map[string]string{}
	for name, text := range everything {
		files[name] = strings.ReplaceAll(text, "VERSION", version)
	}
	sources, err := filepath.Glob("../../contract/*.go")
	require.NoError(t, err)
	for _, file := range sources {
		if !strings.HasSuffix(file, "_test.go") {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			files["contract/"+filepath.Base(file)] = string(text)
		}
	}
	if _, err := exec.LookPath("g++"); err != nil {
		delete(files, "internal/c/cpp.cc")
		files["internal/c/cpp.c"] = "const char *in_cpp(void) { return \"" + version + "\"; }\n"
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	for _, args := range [][]string{{"gcc", "-fPIC", "-c", "s.c"}, {"ar", "rcsD", "libstatic.a", "s.o"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = filepath.Join(dir, "static")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return dir
}

func build(t *testing.T, dir string) string {
	t.Helper()
	host, err := inspect.Self()
	require.NoError(t, err)
	return buildFor(t, dir, host)
}

func buildFor(t *testing.T, dir string, host *inspect.Facts) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "driver.so")
	_, err := gobuild.Build(t.Context(), gobuild.Options{Dir: dir, Out: out, Host: host})
	if be, ok := err.(*gobuild.Error); ok {
		t.Fatalf("%v\n%s", be, be.Output)
	}
	require.NoError(t, err)
	return out
}

// Two versions of one driver, with other versions of what they import, and of
// the contract than this host has, in one process; each answers for itself.
func TestVersionsTogether(t *testing.T) {
	l, err := loader.New(loader.Config{})
	require.NoError(t, err)
	versions := []string{"1.0.0", "2.0.0-rc.1"}
	var drivers []contract.Driver
	for _, version := range versions {
		dir := write(t, t.TempDir(), version)
		d, err := l.LoadFile(t.Context(), build(t, dir))
		require.NoError(t, err)
		drivers = append(drivers, d.Value)
		id := isolate.ID("iso", version)
		assert.Equal(t, &inspect.Isolation{ID: id, Dropped: []inspect.Registration{
			{Package: "example.com/iso", Name: "iso"}, {Package: "example.com/iso", Name: "iso-also"}, {Package: "example.com/iso"},
		}}, d.Facts.Isolation)
		assert.Equal(t, id+"/example.com/iso/keyway_driver_main", d.Facts.PluginPath)
		for path := range d.Facts.Packages {
			assert.True(t, strings.HasPrefix(path, id+"/") || !strings.Contains(strings.Split(path, "/")[0], "."), path)
		}
	}
	for i, d := range drivers { // the second has been loaded when the first is asked
		for _, part := range []string{"dep", "asm", "c", "callback", "static", "c++", "linked", "contract", "generic"} {
			answered := make(chan error, 1)
			go func() {
				_, err := d.OpenConnector(part)
				answered <- err
			}()
			select {
			case err := <-answered:
				assert.EqualError(t, err, versions[i], part)
			case <-time.After(time.Minute): // C code waits for a runtime that nobody starts
				t.Fatalf("%s of %s does not answer", part, versions[i])
			}
		}
		_, err := d.OpenConnector("embeds")
		assert.EqualError(t, err, "kept.txt", "no more than the author's")
		_, err = d.OpenConnector("register")
		assert.EqualError(t, err, "recorded", "a method that is called Register")
		_, err = d.OpenConnector("unique")
		assert.ErrorIs(t, err, contract.UniqueViolation, "codes cross")
		_, ok := d.(contract.Dialect)
		assert.True(t, ok, "optional interfaces cross")
	}
	assert.Empty(t, sql.Drivers(), "sql.Register was not dropped")
}

// A stack trace leads to the line that the author wrote, also behind a call
// that was dropped.
func TestPositionsAreRight(t *testing.T) {
	dir := write(t, t.TempDir(), "3.0.0")
	l, err := loader.New(loader.Config{})
	require.NoError(t, err)
	d, err := l.LoadFile(t.Context(), build(t, dir))
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "driver.go"))
	require.NoError(t, err)
	line := 1 + slices.IndexFunc(strings.Split(string(text), "\n"), func(l string) bool { return strings.Contains(l, "runtime.Caller(0)") })
	_, err = d.Value.OpenConnector("where")
	assert.EqualError(t, err, fmt.Sprintf("example.com/iso/driver.go:%d", line))
}

// An isolated build leaves nothing behind that an ordinary one would use, and
// tells the truth about what is inside.
func TestCacheAndBuildInfo(t *testing.T) {
	dir := write(t, t.TempDir(), "4.0.0")
	plain := func() [32]byte {
		out := filepath.Join(t.TempDir(), "plain")
		cmd := exec.Command("go", "build", "-o", out, "./plain")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off")
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", text)
		content, err := os.ReadFile(out)
		require.NoError(t, err)
		assert.NotContains(t, string(content), isolate.ID("iso", "4.0.0"))
		return sha256.Sum256(content)
	}
	file := build(t, dir)
	once := plain()
	again, err := os.ReadFile(build(t, dir))
	require.NoError(t, err)
	first, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.True(t, string(first) == string(again), "two builds differ")
	assert.Equal(t, once, plain())

	facts, err := inspect.ReadFile(file)
	require.NoError(t, err)
	paths := []string{}
	for _, m := range facts.Modules {
		paths = append(paths, m.Path)
	}
	assert.ElementsMatch(t, []string{"example.com/iso", "example.com/dep", contractModule}, paths)
}

// Where the sources stand has no part in the file, although this test's own
// standard library was built with -trimpath in some runs and without in others.
func TestSameBytesFromAnywhere(t *testing.T) {
	var files [2][]byte
	for i, dir := range []string{"one", "a longer name"} {
		file := build(t, write(t, filepath.Join(t.TempDir(), dir), "6.0.0"))
		var err error
		files[i], err = os.ReadFile(file)
		require.NoError(t, err)
		if i == 0 {
			assert.NotContains(t, string(files[i]), filepath.Dir(t.TempDir()))
		}
	}
	assert.True(t, bytes.Equal(files[0], files[1]), "the files differ")
}

// Whether a package that others name in full is part of the build may change
// while they stay in the cache.
func TestCacheKnowsNoPackageList(t *testing.T) {
	dir := t.TempDir()
	driver := "package st\n\nimport (\n\t\"database/sql/driver\"\n\t\"errors\"\n\n%s\t\"example.com/st/b\"\n)\n\n" +
		"var DriverManifest = `{\"name\": \"st\", \"version\": \"1.0.0\", \"contract\": {\"name\": \"sql\", \"version\": \"^1\"}}`\n\n" +
		"type drv struct{}\n\nfunc (drv) Name() string { return \"st\" }\n\n" +
		"func (drv) OpenConnector(string) (driver.Connector, error) { return nil, errors.New(b.Named) }\n\n" +
		"func NewDriver() interface {\n\tName() string\n\tOpenConnector(string) (driver.Connector, error)\n} {\n\treturn drv{}\n}\n"
	for name, text := range map[string]string{
		"go.mod": "module example.com/st\n\ngo 1.26\n",
		"a/a.go": "package a\n\nfunc Foo() string { return \"a\" }\n",
		"b/b.go": "package b\n\nimport _ \"unsafe\"\n\nconst Named = \"" + rand.Text() + "\"\n\n" +
			"func Call() string { return foo() }\n\n//go:linkname foo example.com/st/a.Foo\nfunc foo() string\n",
		"b/b.s": "",
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	withoutA := fmt.Sprintf(driver, "")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "driver.go"), []byte(withoutA), 0o666))
	build(t, dir)
	withA := strings.Replace(fmt.Sprintf(driver, "\t_ \"example.com/st/a\"\n"), "b.Named", "b.Call()", 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "driver.go"), []byte(withA), 0o666))
	l, err := loader.New(loader.Config{})
	require.NoError(t, err)
	d, err := l.LoadFile(t.Context(), build(t, dir))
	require.NoError(t, err)
	_, err = d.Value.OpenConnector("")
	assert.EqualError(t, err, "a")
}

// The compiler's messages name the author's files, also of those that were
// rewritten.
func TestCompilerMessages(t *testing.T) {
	dir := write(t, t.TempDir(), "5.0.0")
	source := filepath.Join(dir, "driver.go")
	text, err := os.ReadFile(source)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(source, []byte(strings.Replace(string(text), "return drv{} }", "return missing }", 1)), 0o666))
	host, err := inspect.Self()
	require.NoError(t, err)
	_, err = gobuild.Build(t.Context(), gobuild.Options{Dir: dir, Out: filepath.Join(t.TempDir(), "x.so"), Host: host})
	var be *gobuild.Error
	require.ErrorAs(t, err, &be)
	assert.Regexp(t, `(?m)^\./driver\.go:\d+:\d+: undefined: missing`, be.Output)
	assert.NotContains(t, be.Output, "keyway-tool")
}

// What the wrapper does is part of the key under which its work is kept.
func TestWrapperKnowsItsSources(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	text, err := os.ReadFile("isolate.go")
	require.NoError(t, err)
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	assert.Contains(t, string(text), "\n//go:embed "+strings.Join(files, " ")+"\n")
}

func TestRegistrations(t *testing.T) {
	for name, test := range map[string]struct {
		files []string
		want  []string
	}{
		"another import":  {[]string{`import "example.com/sql"; func init() { sql.Register("x", nil) }`}, nil},
		"no call":         {[]string{`import "database/sql"; var f = sql.Register`}, []string{""}},
		"named":           {[]string{`import db "database/sql"; func init() { db.Register("x", nil) }`}, []string{"x"}},
		"blank":           {[]string{`import _ "database/sql"; func init() { sql.Register("x", nil) }`}, nil},
		"dot":             {[]string{`import . "database/sql"; func init() { Register("x", nil) }`}, []string{"x"}},
		"dot and a field": {[]string{`import . "database/sql"; type t struct{ Register int }; var v = t{Register: t{}.Register}`}, nil},
		"a parameter":     {[]string{`import "database/sql"; func f(sql interface{ Register(string, any) }) { sql.Register("x", nil) }`}, nil},
		"a constant elsewhere": {[]string{`import "database/sql"; func init() { sql.Register(name, nil); sql.Register(name, nil) }`,
			`const name = "x"`}, []string{"x"}},
		"in brackets":    {[]string{`import "database/sql"; func init() { (sql.Register)("x", nil) }`}, []string{"x"}},
		"a local name":   {[]string{`import "database/sql"; const name = "y"; func init() { const name = "x"; sql.Register(name, nil) }`}, []string{""}},
		"computed":       {[]string{`import "database/sql"; func init() { for _, n := range names { sql.Register(n, nil) } }`}, []string{""}},
		"in an argument": {[]string{`import "database/sql"; func init() { f(func() { sql.Register("x", nil) }) }`}, []string{"x"}},
		"does not parse": {[]string{`import "database/sql"; func {`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var names []string
			for i, text := range test.files {
				names = append(names, fmt.Sprintf("%d.go", i))
				require.NoError(t, os.WriteFile(filepath.Join(dir, names[i]), []byte("package p; "+text), 0o600))
			}
			found, err := isolate.Registrations(isolate.Package{Path: "example.com/p", Dir: dir}, names)
			require.NoError(t, err)
			var got []string
			for _, r := range found {
				assert.Equal(t, "example.com/p", r.Package)
				got = append(got, r.Name)
			}
			assert.Equal(t, test.want, got)
		})
	}
	_, err := isolate.Registrations(isolate.Package{Dir: t.TempDir()}, []string{"none.go"})
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestID(t *testing.T) {
	assert.Equal(t, "sqlite_v1.2.0", isolate.ID("sqlite", "1.2.0"))
	assert.Equal(t, "my_hsql_v1.2.0_hrc.1_pb5", isolate.ID("my-sql", "1.2.0-rc.1+b5"))
	seen := map[string]string{}
	for _, name := range []string{"a", "a-b", "a_b", "a__b", "a-_b", "a_hb", "a_v1", "a_v1.0.0", "a-h"} {
		for _, version := range []string{"1.0.0", "1.0.0-1", "1.0.0+1", "1.0.0-p1", "1.0.0-h1", "1.0.0--1", "1.0.0-v1"} {
			id := isolate.ID(name, version)
			assert.Empty(t, seen[id], "%s %s", name, version)
			seen[id] = name + " " + version
		}
	}
}
