package scaffold

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

const (
	rootModule     = "github.com/keyway-go/keyway"
	contractModule = rootModule + "/contract"
	// noVersion is what the go command writes for a module that only a replace
	// directive can provide.
	noVersion = "v0.0.0-00010101000000-000000000000"
)

// Keyway is where a module finds Keyway: a release, or a directory.
type Keyway struct {
	// Version and Contract are the versions of the root module and of the
	// contract's.
	Version, Contract string
	// Dir, if not "", is the absolute path of a checkout that stands for both.
	Dir string
}

// Release returns the release from which a program was built, as its build
// information says; ok is false if it was built from no release.
func Release(info *debug.BuildInfo) (k Keyway, ok bool) {
	// Only what the go command downloaded has a checksum.
	version := func(path string) string {
		for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
			if m.Path == path && m.Sum != "" && m.Replace == nil {
				return m.Version
			}
		}
		return ""
	}
	k = Keyway{Version: version(rootModule), Contract: version(contractModule)}
	return k, k.Version != "" && k.Contract != ""
}

// Source returns the checkout from which this program was built, if it is still
// there and the program knows it: one built with -trimpath does not.
func Source() (k Keyway, ok bool) {
	_, file, _, _ := runtime.Caller(0)
	if !filepath.IsAbs(file) {
		return Keyway{}, false
	}
	k, err := Checkout(filepath.Join(filepath.Dir(file), "..", ".."))
	return k, err == nil
}

// Checkout returns the checkout of Keyway in a directory. The error is an
// *InputError.
func Checkout(dir string) (Keyway, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Keyway{}, inputf("%s: %v", dir, err)
	}
	for sub, path := range map[string]string{".": rootModule, "contract": contractModule} {
		text, err := os.ReadFile(filepath.Join(abs, sub, "go.mod"))
		if first, _, _ := strings.Cut(string(text), "\n"); err != nil || strings.TrimSpace(first) != "module "+path {
			return Keyway{}, inputf("%s is no checkout of Keyway: wanted a go.mod of the module %s in %s", dir, path, filepath.Join(dir, sub))
		}
	}
	return Keyway{Dir: abs}, nil
}

// edits are the arguments of "go mod edit" that make a module find Keyway.
func (k Keyway) edits() []string {
	if k.Dir == "" {
		return []string{"-require=" + rootModule + "@" + k.Version, "-require=" + contractModule + "@" + k.Contract}
	}
	return []string{
		"-require=" + rootModule + "@" + noVersion, "-replace=" + rootModule + "=" + k.Dir,
		"-require=" + contractModule + "@" + noVersion, "-replace=" + contractModule + "=" + filepath.Join(k.Dir, "contract"),
	}
}
