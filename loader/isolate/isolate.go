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
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// marker is a compiler flag that the go command sees and the compiler does
// not. The go command keys its cache by flags and knows nothing of what a
// wrapper does, so every isolated package needs one that tells everything which
// the wrapper goes by; the standard library has none and stays shared with
// ordinary builds.
const marker = "-isolate="

//go:embed asm.go buildid.go hide.go isolate.go paths.go register.go source.go tool.go
var wrapper embed.FS

// wrapperSum changes with the wrapper, so that what an older one compiled is
// not taken for its work.
var wrapperSum = sync.OnceValue(func() string {
	h := sha256.New()
	_ = fs.WalkDir(wrapper, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := wrapper.ReadFile(name)
		h.Write(text)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:6])
})

// planVar names, for the wrapper, the file with the Plan.
const planVar = "KEYWAY_ISOLATE_PLAN"

// toolArg is the first argument of a program that is called as the wrapper.
const toolArg = "__keyway_tool"

// ID returns the identity of a driver's version: name_v1.2.0. It consists of
// letters, digits, "_" and ".", because an ELF symbol can have no "@" and an
// assembler's identifier no "-": "-" is written "_h", "+" is "_p" and "_" is
// "__". So two names, or two versions, that are valid in a manifest never have one
// identity.
func ID(name, version string) string {
	spell := strings.NewReplacer("_", "__", "-", "_h", "+", "_p")
	return spell.Replace(name) + "_v" + spell.Replace(version)
}

// Plan says what is to be isolated.
type Plan struct {
	// ID is the identity, as from the function ID.
	ID string `json:"id"`
	// Packages are the packages to isolate, the plugin's main package among
	// them.
	Packages []Package `json:"packages"`
	// Gcflags are the -gcflags of the host, as its build information has them.
	// Those that begin with "all=" are given to the isolated packages, too.
	Gcflags string `json:"gcflags,omitempty"`
	// GOROOT is the directory of the Go release, where the standard library is.
	GOROOT string `json:"goroot"`
}

// Package is a package to isolate.
type Package struct {
	// Path is the import path.
	Path string `json:"path"`
	// Dir is the directory of the sources, absolute.
	Dir string `json:"dir"`
	// Named is what positions in the compiled package have in place of Dir, as
	// go build -trimpath names it: the import path, with the version of the
	// module after the module's path where there is one.
	Named string `json:"named"`
	// Source is one more Go file to compile into the package, or "".
	Source string `json:"source,omitempty"`
}

// Write writes the plan into a file for the wrapper. Files that an overlay puts
// into packages stand in the same directory; no package embeds them.
func (p Plan) Write(file string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// Args returns the arguments of go build for a plan, and Env the environment
// variables that go with them. self is the program that calls Tool.
func (p Plan) Args(self string) []string {
	gcflags, ok := strings.CutPrefix(p.Gcflags, "all=")
	if !ok {
		gcflags = ""
	}
	args := []string{"-toolexec=" + quoteArg(self) + " " + toolArg}
	for _, pkg := range p.Packages {
		args = append(args, "-gcflags="+pkg.Path+"="+strings.TrimSpace(gcflags+" "+p.marker(pkg)))
	}
	return args
}

// marker returns the marker of a package.
func (p Plan) marker(pkg Package) string {
	extra := sha256.Sum256([]byte(pkg.Source))
	return marker + strings.Join([]string{p.ID, pkg.Named, wrapperSum(), hex.EncodeToString(extra[:6])}, ",")
}

// Env returns the variables for a go build with Args. file is the one that
// Write wrote.
func Env(file string) []string { return []string{planVar + "=" + file} }

// quoteArg quotes a word as cmd/internal/quoted reads it, which knows no way to
// write one with both kinds of quotes.
func quoteArg(s string) string {
	if !strings.ContainsAny(s, " \t\n'\"") {
		return s
	}
	if !strings.Contains(s, "'") {
		return "'" + s + "'"
	}
	return `"` + s + `"`
}

// isolated is a plan with its packages by path, for the wrapper.
type isolated struct {
	Plan
	packages map[string]Package
}

func readPlan(file string) (*isolated, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	i := &isolated{packages: map[string]Package{}}
	if err := json.Unmarshal(text, &i.Plan); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, pkg := range i.Packages {
		i.packages[pkg.Path] = pkg
	}
	return i, nil
}

// has tells whether a package is to be isolated.
func (i *isolated) has(pkg string) bool {
	_, ok := i.packages[pkg]
	return ok
}

// names tells whether sources that spell a package in full mean one that is to be
// isolated. It does not go by the list of packages, which may be another one
// when the go command takes the compiled package from its cache.
func (i *isolated) names(pkg string) bool {
	if i.has(pkg) {
		return true
	}
	if !strings.Contains(pkg, "/") {
		return false
	}
	info, err := os.Stat(filepath.Join(i.GOROOT, "src", filepath.FromSlash(pkg)))
	return err != nil || !info.IsDir()
}

// path returns the path that a package is to have.
func (i *isolated) path(pkg string) string {
	if i.has(pkg) {
		return i.ID + "/" + pkg
	}
	return pkg
}
