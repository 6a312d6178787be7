// Package isolate makes builds whose packages clash with nothing: every package
// that is not the standard library gets a path below the identity of its
// driver, such as sqlite_v1.2.0/modernc.org/sqlite.
//
// A plugin shares with its host whatever packages have one path in both, and
// the runtime refuses it when they differ in the least. An isolated plugin
// shares the standard library and nothing else, so that host, driver, other
// drivers and other versions of the same driver may all contain what they like.
//
// No source is renamed. The go command builds as it always does, through a
// wrapper around its tools (go build -toolexec) that renames package paths in
// what the tools are told: the compiler's and the assembler's -p, cgo's
// -importpath, the linker's -pluginpath, and the import configurations. So
// embeds, assembly, cgo, language versions, internal packages and build
// information go on working.
//
// The program that builds is its own wrapper: it calls [Tool] first in main.
package isolate

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// marker is a compiler flag that the go command sees and the compiler does
// not. The go command keys its cache by flags and knows nothing of what a
// wrapper does, so every isolated package needs one that names its identity;
// the standard library has none and stays shared with ordinary builds.
const marker = "-isolate="

// planVar names, for the wrapper, the file with the Plan.
const planVar = "KEYWAY_ISOLATE_PLAN"

// toolArg is the first argument of a program that is called as the wrapper.
const toolArg = "__keyway_tool"

// ID returns the identity of a driver's version: name_v1.2.0. It consists of
// letters, digits, "_" and ".", whatever the version has, because an ELF symbol
// can have no "@" and an assembler's identifier no "-".
func ID(name, version string) string {
	clean := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '_'
	}
	return strings.Map(clean, name) + "_v" + strings.Map(clean, version)
}

// Plan says what is to be isolated.
type Plan struct {
	// ID is the identity, as from the function ID.
	ID string `json:"id"`
	// Packages are the import paths of the packages to isolate, the plugin's
	// main package among them.
	Packages []string `json:"packages"`
}

// Write writes the plan into a file for the wrapper.
func (p Plan) Write(file string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// Args returns the arguments of go build for a plan, and Env the environment
// variables that go with them. self is the program that calls Tool, file the
// one that Write wrote. gcflags are the flags that all packages are to get
// besides, or "".
func (p Plan) Args(self, gcflags string) []string {
	args := []string{"-toolexec=" + quoteArg(self) + " " + toolArg}
	for _, pkg := range p.Packages {
		args = append(args, "-gcflags="+pkg+"="+strings.TrimSpace(gcflags+" "+marker+p.ID))
	}
	return args
}

// Env returns the variables for a go build with Args. cflags is CGO_CFLAGS as
// it would be otherwise.
func Env(file, cflags string) []string {
	// Without hidden symbols a second version of a C library would be bound to
	// the code of the first, since plugins are opened with RTLD_GLOBAL.
	return []string{planVar + "=" + file, "CGO_CFLAGS=" + strings.TrimSpace(cflags+" -fvisibility=hidden")}
}

// quoteArg quotes a word as cmd/internal/quoted reads it.
func quoteArg(s string) string {
	if !strings.ContainsAny(s, " \t\n'\"") {
		return s
	}
	if !strings.Contains(s, "'") {
		return "'" + s + "'"
	}
	return `"` + s + `"`
}

// isolated are the packages of a plan, by path, for the wrapper.
type isolated struct {
	id       string
	packages map[string]bool
}

func readPlan(file string) (*isolated, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var p Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	i := &isolated{id: p.ID, packages: map[string]bool{}}
	for _, pkg := range p.Packages {
		i.packages[pkg] = true
	}
	return i, nil
}

// path returns the path that a package is to have.
func (i *isolated) path(pkg string) string {
	if i.packages[pkg] {
		return i.id + "/" + pkg
	}
	return pkg
}
