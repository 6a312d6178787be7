//go:build linux

package isolate_test

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

type shape = interface {
	Name() string
	Answers() map[string]string
}

// shapeFiles are the files of testdata/shapes/name below a prefix, for a
// version.
func shapeFiles(t *testing.T, name, prefix, version string) map[string]string {
	t.Helper()
	files := map[string]string{}
	tree(t, files, prefix, filepath.Join("testdata", "shapes", name))
	for file, text := range files {
		files[file] = strings.ReplaceAll(text, "VERSION", version)
	}
	return files
}

// Guards that every shape that a driver's module may have survives isolation:
// all are loaded into this process, some in two versions, and each gives its
// own answers.
func TestShapes(t *testing.T) {
	l, err := loader.For(contract.MustDefine[shape]("shapes", "1.0.0"), loader.Config{CacheDir: t.TempDir()})
	require.NoError(t, err)
	var loaded []shape
	var wanted []map[string]string
	add := func(file string, answers map[string]string) {
		d, err := l.LoadFile(t.Context(), file)
		require.NoError(t, err)
		loaded, wanted = append(loaded, d.Value), append(wanted, answers)
	}
	for _, version := range []string{"1", "2"} {
		add(deep(t, version), deepAnswers(version))
		add(replaced(t, version), map[string]string{"directory": "directory " + version, "module": "fork 1." + version})
	}
	add(vendored(t), map[string]string{"dependency": "vendored"})
	add(worked(t), map[string]string{"dependency": "module"})
	for name, build := range map[string]func(fixture.TB, fixture.Source) string{"mainisolated": fixture.Driver, "mainplain": fixture.Build} {
		s := fixture.Source{Name: name, Files: shapeFiles(t, "main", "", "")}
		for file, text := range s.Files {
			s.Files[file] = strings.ReplaceAll(text, "NAME", name)
		}
		add(build(t, s), map[string]string{"name": name + " in package main"})
	}
	for i, d := range loaded { // when all are there
		assert.Equal(t, wanted[i], d.Answers(), "%s, file %d", d.Name(), i)
	}
}

// deep is a driver with loops of Go 1.20, generics, embedded directories,
// assembly, cgo, and a static C library that somebody else compiled.
func deep(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	source := shapeFiles(t, "static", "", version)["static.c"]
	require.NoError(t, os.WriteFile(filepath.Join(dir, "static.c"), []byte(source), 0o666))
	for _, args := range [][]string{{"gcc", "-fPIC", "-c", "static.c"}, {"ar", "rcsD", "libstatic.a", "static.o"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%q: %s", args, out)
	}
	files := shapeFiles(t, "deep", "", version)
	tree(t, files, "internal/c", dir)
	delete(files, "internal/c/static.c")
	delete(files, "internal/c/static.o")
	return fixture.Driver(t, fixture.Source{Name: "deep", Files: files})
}

func deepAnswers(v string) map[string]string {
	return map[string]string{
		"loop of this language": "012",
		"loop of 1.20":          "333",
		"range of 1.20":         "222",
		"generic of 1.20":       "222",
		"generic method":        "222",
		"inlined of 1.20":       "3",
		"file of 1.22 in 1.20":  "012",
		"generic across":        "true true true false",
		"embedded":              "files/a.txt=first " + v + " files/below/b.txt=second " + v + " ",
		"internal":              "secret " + v,
		"assembly":              v + " " + v + "0 " + v + "00",
		"cgo":                   v + " " + v + " " + v + "000 " + v,
	}
}

// replaced is a driver whose go.mod takes one dependency from a directory and
// another one from a module of another path, which a proxy has.
func replaced(t *testing.T, version string) string {
	t.Helper()
	proxy, cache := t.TempDir(), t.TempDir()
	publish(t, proxy, "example.com/fork", "v1."+version+".0", "package orig\n\nconst Text = \"fork 1."+version+"\"\n")
	t.Setenv("GOPROXY", "file://"+proxy)
	t.Setenv("GOSUMDB", "off")
	t.Setenv("GOFLAGS", "-modcacherw")
	t.Setenv("GOMODCACHE", cache)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "shapes", "replaced"))))
	files := shapeFiles(t, "replaced", "", version)
	for file, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o666))
	}
	goMod(t, dir, "tidy")
	tree(t, files, "", dir) // with a go.sum
	return fixture.Driver(t, fixture.Source{Name: "replaced", Files: files})
}

// publish adds a module with one file to a directory that serves as GOPROXY.
func publish(t *testing.T, proxy, module, version, text string) {
	t.Helper()
	dir := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	require.NoError(t, os.MkdirAll(dir, 0o777))
	mod := "module " + module + "\n\ngo 1.26\n"
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	write("list", version+"\n")
	write(version+".info", `{"Version": "`+version+`"}`)
	write(version+".mod", mod)
	f, err := os.Create(filepath.Join(dir, version+".zip"))
	require.NoError(t, err)
	defer f.Close()
	z := zip.NewWriter(f)
	for name, text := range map[string]string{"go.mod": mod, "file.go": text} {
		w, err := z.Create(module + "@" + version + "/" + name)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
}

// goMod runs a verb of go mod in a directory, which is no part of a workspace.
func goMod(t *testing.T, dir, verb string) {
	t.Helper()
	cmd := exec.Command("go", "mod", verb)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "PWD="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go mod %s: %s", verb, out)
}

// vendored is a driver with a vendor directory, which holds something else
// than go.mod replaces the dependency with.
func vendored(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "shapes", "vendored"))))
	goMod(t, dir, "vendor")
	files := map[string]string{}
	tree(t, files, "", dir)
	const file = "vendor/example.com/dep/dep.go"
	require.Contains(t, files[file], `"directory"`)
	files[file] = strings.ReplaceAll(files[file], `"directory"`, `"vendored"`)
	return fixture.Driver(t, fixture.Source{Name: "vendored", Files: files})
}

// worked is a driver at a path that needs quoting, in a workspace that says
// otherwise than its go.mod.
func worked(t *testing.T) string {
	t.Helper()
	const dir = "a päth, it's with 'späces'/driver"
	files := shapeFiles(t, "worked", dir, "")
	files["go.work"] = "go 1.26\n\nuse (\n\t\"./" + dir + "\"\n\t\"./" + dir + "/wrong\"\n)\n"
	return fixture.Driver(t, fixture.Source{Name: "worked", Files: files, Dir: dir})
}
