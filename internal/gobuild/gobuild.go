// Package gobuild builds driver files with the go command and the flags that
// fit a host.
package gobuild

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
	// Accept, if not nil, is called with the manifest before anything is
	// compiled. Its error ends the build, and Build returns it as it is.
	Accept func(contract.Manifest) error
	// Progress, if not nil, is called with the import path of each package that
	// is about to be compiled; what the go command has in its cache is not.
	// Calls do not overlap.
	Progress func(pkg string)
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
// ctx.Err(), or that of Accept.
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
	tool.progress = o.Progress
	pkgs, err := tool.describe(ctx)
	if err != nil {
		return Result{}, err
	}
	text, err := manifestText(dir, pkgs[len(pkgs)-1])
	if err != nil {
		return Result{}, err
	}
	m, err := contract.ParseManifest([]byte(text))
	if err != nil {
		return Result{}, &Error{Wanted: "a valid manifest in " + dir, Found: err.Error(), Remedy: "correct driver.json", Err: err}
	}
	if o.Accept != nil {
		if err := o.Accept(m); err != nil {
			return Result{}, err
		}
	}
	name := m.Name + "-v" + m.Version + ".so"
	out, err := filepath.Abs(cmp.Or(o.Out, name))
	if err != nil {
		return Result{}, err
	}
	if err := checkOut(out, name); err != nil {
		return Result{}, err
	}
	if err := tool.plugin(ctx, pkgs, m, text, out); err != nil {
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
	dir      string
	flags    []string
	gcflags  string // of the host
	modCache string // GOMODCACHE
	goRoot   string // GOROOT
	crossed  bool   // for another platform than this one
	env      []string
	listed   map[string]bool  // import paths, with the standard library
	progress func(pkg string) // or nil
}

func newTool(ctx context.Context, dir string, host *inspect.Facts) (*tool, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, &Error{Wanted: "the go command", Found: "none in PATH", Remedy: "install " + host.GoVersion + " and put its bin directory into PATH", Err: err}
	}
	if err := canLoad(host); err != nil {
		return nil, err
	}
	t := &tool{dir: dir, flags: hostFlags(host), env: hostEnv(host), gcflags: host.Settings["-gcflags"], crossed: host.GOARCH != runtime.GOARCH || host.GOOS != runtime.GOOS}
	out, err := t.run(ctx, "env", "-json=false", "GOVERSION", "GOMODCACHE", "GOROOT")
	if err != nil {
		return nil, err
	}
	lines := append(strings.Split(string(out), "\n"), "", "")
	t.modCache, t.goRoot = strings.TrimSpace(lines[1]), strings.TrimSpace(lines[2])
	version, wanted := inspect.Release(strings.TrimSpace(lines[0])), inspect.Release(host.GoVersion)
	if version != wanted {
		return nil, &Error{Wanted: wanted + ", with which the host was built", Found: version + " in " + dir,
			Remedy: "GOTOOLCHAIN=" + wanted + " drivercheck build " + dir + ", with the other arguments as before; or put that release into PATH"}
	}
	return t, nil
}

// canLoad refuses hosts for which no file can be built that they would load.
func canLoad(host *inspect.Facts) error {
	profile := host.Settings["-pgo"]
	switch {
	case host.BuildMode == "plugin":
		return &Error{Wanted: "a program that loads driver files", Found: "a plugin", Remedy: "name the program with --host"}
	case host.Settings["CGO_ENABLED"] == "0":
		return &Error{Wanted: "a host that can load plugins", Found: "one that was built with CGO_ENABLED=0", Remedy: "build the host with CGO_ENABLED=1"}
	case profile != "":
		if _, err := os.Stat(profile); err != nil {
			return &Error{Wanted: "the profile with which the host was built, " + profile, Found: err.Error(),
				Remedy: "build the host with -pgo=off, or bring the profile there", Err: err}
		}
	}
	return nil
}

// run runs the go command and returns its standard output.
func (t *tool) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), t.env...)
	cmd.Env = append(cmd.Env, "PWD="+t.dir)
	var stdout bytes.Buffer
	stderr := messages{packages: t.listed, progress: t.progress}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	procgroup.Own(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, failed(args[0], t.dir, stderr.text(), err)
	}
	return stdout.Bytes(), nil
}

// plugin builds the package into out, by way of a file beside it.
func (t *tool) plugin(ctx context.Context, pkgs []goPackage, m contract.Manifest, manifest, out string) error {
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

	args, err := t.isolation(temp, pkgs, m, manifest)
	if err != nil {
		return err
	}
	built := filepath.Join(beside, "driver.so")
	args = slices.Concat([]string{"build", "-buildmode=plugin", "-buildvcs=false", fmt.Sprintf("-v=%t", t.progress != nil), "-o", built}, t.flags, args)
	if _, err := t.run(ctx, args...); err != nil {
		if be, ok := errors.AsType[*Error](err); ok && be.Remedy == "" && t.crossed {
			be.Remedy = "set CC to a C compiler for the platform of the host"
		}
		return err
	}
	if err := os.Rename(built, out); err != nil {
		return &Error{Wanted: "to write " + out, Found: err.Error(), Remedy: "name another file with -o", Err: err}
	}
	return nil
}

// isolation returns the arguments of go build for an isolated build of the last
// of the packages, and adds the variables that go with them. Files for the go
// command are put into temp.
func (t *tool) isolation(temp string, pkgs []goPackage, m contract.Manifest, manifest string) ([]string, error) {
	plan, dropped, err := newPlan(isolate.ID(m.Name, m.Version), pkgs)
	if err != nil {
		return nil, err
	}
	plan.Gcflags, plan.GOROOT = t.gcflags, t.goRoot
	files := overlay{}
	facts := inspect.Isolation{ID: plan.ID, Dropped: dropped}
	driver := &plan.Packages[len(plan.Packages)-1]
	target := "."
	if pkgs[len(pkgs)-1].Name == "main" {
		driver.Source = factsSource(facts)
	} else {
		plan.Packages = append(plan.Packages, files.addMain(*driver, manifest, facts))
		target = "./" + mainFolder
	}
	if !t.trimmed() {
		files.nameDirs(plan.Packages, pkgs, t.modCache)
	}
	overlayFile, err := files.write(temp)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if strings.Contains(self, "'") && strings.Contains(self, `"`) {
		return nil, &Error{Wanted: "a path of this program that the go command can quote", Found: self,
			Remedy: "move the program to a path without both kinds of quotes"}
	}
	planFile := filepath.Join(temp, "plan.json")
	if err := plan.Write(planFile); err != nil {
		return nil, err
	}
	t.env = append(t.env, isolate.Env(planFile)...)
	return slices.Concat(plan.Args(self), []string{"-overlay=" + overlayFile, target}), nil
}
