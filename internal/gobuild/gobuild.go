// Package gobuild builds driver files with the go command and the flags that
// fit a host.
package gobuild

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/procgroup"
	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/isolate"
)

// Options say what to build and for whom.
type Options struct {
	// Dir is the directory of the driver's package: an ordinary package with
	// NewDriver and DriverManifest, or a package main with both.
	Dir string
	// Out is the file to write; "" means name-v1.2.0.so in the current
	// directory.
	Out string
	// Host is the program that will load the driver.
	Host *inspect.Facts
}

// Result says what was built.
type Result struct {
	// File is the absolute path of the driver file.
	File string
	// Manifest is the driver's.
	Manifest contract.Manifest
}

// Error is a build that failed. Its text is for people: one line, and below it
// what the go command said.
type Error struct {
	// Wanted and Found are what was compared, in words; Remedy is what to do,
	// or "".
	Wanted, Found, Remedy string
	// Output is what the go command printed, or "".
	Output string
	// Err is the cause, or nil.
	Err error
}

// Error returns one line without Output.
func (e *Error) Error() string {
	s := "build: wanted " + e.Wanted + ", found " + e.Found
	if e.Remedy != "" {
		s += "; remedy: " + e.Remedy
	}
	return s
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// Build builds a driver file. The file appears complete or not at all; when ctx
// ends, the go command and what it started are killed. An error is an *Error,
// or ctx.Err().
//
// The program that calls Build must call isolate.Tool first in main: the go
// command runs it around its tools.
func Build(ctx context.Context, o Options) (Result, error) {
	dir, err := realDir(o.Dir)
	if err != nil {
		return Result{}, err
	}
	tool, err := newTool(ctx, dir, o.Host)
	if err != nil {
		return Result{}, err
	}
	pkg, err := tool.describe(ctx)
	if err != nil {
		return Result{}, err
	}
	text, err := manifestText(dir, pkg)
	if err != nil {
		return Result{}, err
	}
	m, err := contract.ParseManifest([]byte(text))
	if err != nil {
		return Result{}, &Error{Wanted: "a valid manifest in " + dir, Found: err.Error(), Remedy: "correct driver.json", Err: err}
	}
	out := o.Out
	if out == "" {
		out = m.Name + "-v" + m.Version + ".so"
	}
	if out, err = filepath.Abs(out); err != nil {
		return Result{}, err
	}
	if err := tool.plugin(ctx, pkg, m, text, out); err != nil {
		return Result{}, err
	}
	return Result{File: out, Manifest: m}, nil
}

// realDir returns the absolute path without links, by which the go command
// knows the files of an overlay.
func realDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(abs)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", &Error{Wanted: "the directory of a driver's package", Found: "no directory " + dir, Remedy: "check the path", Err: err}
	case err != nil:
		return "", &Error{Wanted: "the directory of a driver's package", Found: err.Error(), Err: err}
	case !info.IsDir():
		return "", &Error{Wanted: "the directory of a driver's package", Found: dir + ", a file", Remedy: "name the directory that holds driver.json"}
	}
	return abs, nil
}

// tool is the go command in a driver's directory, with the flags of a host.
type tool struct {
	dir     string
	flags   []string
	gcflags string // for all packages
	cflags  string // CGO_CFLAGS, as it would be
	env     []string
}

func newTool(ctx context.Context, dir string, host *inspect.Facts) (*tool, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, &Error{Wanted: "the go command", Found: "none in PATH", Remedy: "install " + host.GoVersion + " and put its bin directory into PATH", Err: err}
	}
	t := &tool{dir: dir, flags: hostFlags(host), env: hostEnv(host)}
	t.gcflags, _ = strings.CutPrefix(host.Settings["-gcflags"], "all=")
	out, err := t.run(ctx, "env", "GOVERSION", "CGO_CFLAGS")
	if err != nil {
		return nil, err
	}
	version, cflags, _ := strings.Cut(string(out), "\n")
	t.cflags = strings.TrimSpace(cflags)
	version, wanted := inspect.Release(strings.TrimSpace(version)), inspect.Release(host.GoVersion)
	if version != wanted {
		return nil, &Error{Wanted: wanted + ", with which the host was built", Found: version + " in " + dir,
			Remedy: "GOTOOLCHAIN=" + wanted + " drivercheck build " + dir + ", with the other arguments as before; or put that release into PATH"}
	}
	return t, nil
}

// run runs the go command and returns its standard output.
func (t *tool) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), t.env...)
	cmd.Env = append(cmd.Env, "PWD="+t.dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	procgroup.Own(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &Error{Wanted: "go " + args[0] + " to succeed in " + t.dir, Found: err.Error(),
			Output: strings.TrimRight(stderr.String(), "\n"), Err: err}
	}
	return stdout.Bytes(), nil
}

// goPackage is what go list says of a package, as far as it matters here.
type goPackage struct {
	Name       string
	ImportPath string
	GoFiles    []string
	CgoFiles   []string
	Standard   bool

	// isolate are the import paths of the package and of what it imports,
	// without the standard library.
	isolate []string
}

// describe lists the driver's package with everything that it imports: the
// package itself comes last.
func (t *tool) describe(ctx context.Context) (goPackage, error) {
	var p goPackage
	out, err := t.run(ctx, append([]string{"list", "-deps", "-json=Name,ImportPath,GoFiles,CgoFiles,Standard"}, t.listFlags()...)...)
	if err != nil {
		return p, err
	}
	var paths []string
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var next goPackage
		if err := dec.Decode(&next); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return p, err
		}
		if p = next; !p.Standard {
			paths = append(paths, p.ImportPath)
		}
	}
	p.isolate = paths
	return p, nil
}

// plugin builds the package into out, by way of a file beside it.
func (t *tool) plugin(ctx context.Context, pkg goPackage, m contract.Manifest, manifest, out string) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o777); err != nil {
		return &Error{Wanted: "a directory that can be written", Found: err.Error(), Remedy: "name another file with -o", Err: err}
	}
	beside, err := os.MkdirTemp(filepath.Dir(out), ".keyway-build-")
	if err != nil {
		return &Error{Wanted: "a directory that can be written", Found: err.Error(), Remedy: "name another file with -o", Err: err}
	}
	defer os.RemoveAll(beside)
	// What the go command leaves when it is killed goes with it.
	temp, err := os.MkdirTemp("", "keyway-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	t.env = append(t.env, "GOTMPDIR="+temp, "TMPDIR="+temp)

	plan := isolate.Plan{ID: isolate.ID(m.Name, m.Version), Packages: pkg.isolate}
	target := "."
	var overlay []string
	if pkg.Name != "main" {
		file, err := writeOverlay(temp, filepath.Join(t.dir, mainFolder), pkg.ImportPath, manifest)
		if err != nil {
			return err
		}
		overlay, target = []string{"-overlay", file}, "./"+mainFolder
		plan.Packages = append(plan.Packages, pkg.ImportPath+"/"+mainFolder)
	}
	isolation, err := t.isolation(plan, filepath.Join(temp, "plan.json"))
	if err != nil {
		return err
	}
	built := filepath.Join(beside, "driver.so")
	args := slices.Concat([]string{"build", "-buildmode=plugin", "-buildvcs=false", "-o", built}, t.flags, overlay, isolation, []string{target})
	if _, err := t.run(ctx, args...); err != nil {
		return err
	}
	if err := os.Rename(built, out); err != nil {
		return &Error{Wanted: "to write " + out, Found: err.Error(), Remedy: "name another file with -o", Err: err}
	}
	return nil
}

// isolation returns the arguments of go build for a plan, which it writes into
// a file, and adds the variables that go with them.
func (t *tool) isolation(plan isolate.Plan, file string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := plan.Write(file); err != nil {
		return nil, err
	}
	t.env = append(t.env, isolate.Env(file, t.cflags)...)
	return plan.Args(self, t.gcflags), nil
}
