// Package inspect reads what a Go binary says about itself, without running a
// byte of it, and tells whether a driver file fits a host.
//
// [Read] takes the facts of a driver file (a Go plugin) or of a host program:
// Go version, build settings, modules, the link fingerprint of every package,
// exported names, needed C libraries and the text of the manifest. [Fit] lays
// the facts of a driver against those of a host and names every reason why the
// one cannot load into the other, with its cause and what to do about it.
//
// The dynamic linker and the Go runtime kill the process when they meet a
// truncated file, a C library or a plugin of another toolchain; nothing can
// recover from that. So the reader is strict: it believes what the dynamic
// linker will believe (program headers and the dynamic table), and returns a
// [*FormatError] for a file whose tables tell two stories.
//
// ELF files for amd64 and arm64 are read in full on any machine. For other
// machines only the build information is read, which is enough to say that
// they do not fit. Files of other kinds are an error.
//
// The package does not import "plugin", so a program may use it without
// becoming a plugin host. Everything here is safe for concurrent use.
package inspect

import (
	"encoding/hex"
	"fmt"
)

// Facts is what a binary says about itself. It marshals to JSON and back
// without loss, so that the facts of a host can be kept as a profile.
//
// A Facts from [Read] is never changed by this package afterwards; callers that
// share one must not change it either. Slices and maps are empty, not nil.
type Facts struct {
	// GoVersion is the toolchain, as in "go1.26.8" or "go1.26.8-X:jsonv2". It is
	// "" for a plugin of Go 1.19 or older, which does not record it readably.
	GoVersion string `json:"go_version"`

	// GOOS and GOARCH are the platform, as in "linux" and "amd64".
	GOOS   string `json:"goos"`
	GOARCH string `json:"goarch"`

	// BuildMode is the -buildmode of the build: "plugin", "exe", "pie",
	// "c-shared" and so on, "" if the file does not say. Only of a plugin it is
	// known without a record, such as the go command makes.
	BuildMode string `json:"build_mode"`

	// Settings are the recorded build settings, as in "-trimpath": "true" or
	// "CGO_ENABLED": "1". The go command leaves out what is not set.
	Settings map[string]string `json:"settings"`

	// Modules are the modules compiled in: the main module first, if the build
	// had one, then its dependencies in the order recorded.
	Modules []Module `json:"modules"`

	// PluginPath is the import path under which the runtime knows a plugin; no
	// process can load two files that share one. "" when the file is no plugin.
	PluginPath string `json:"plugin_path"`

	// Manifest is the text of the plugin's variable DriverManifest. It is "" if
	// there is no such variable, if the variable is empty or filled in at run
	// time, and if ManifestErr is set; ManifestText tells these apart.
	Manifest string `json:"manifest"`

	// HasManifest says that the plugin exports a name DriverManifest.
	HasManifest bool `json:"has_manifest"`

	// ManifestErr says why a manifest that is there cannot be read, and is nil
	// otherwise. The other facts are good regardless.
	ManifestErr *FormatError `json:"manifest_error,omitempty"`

	// Isolation is what an isolated build says of itself, or nil for another.
	Isolation *Isolation `json:"isolation,omitempty"`

	// Symbols are the exported variables and functions of a plugin's package
	// main, sorted, without the path before them. Methods are not among them.
	Symbols []string `json:"symbols"`

	// Contracts are the contracts that a host says it provides, in the order of
	// the names. It is empty for a plugin, and for a host that says nothing.
	Contracts []Contract `json:"contracts"`

	// Packages holds the link fingerprint of each package by import path. It is
	// empty for a program that does not import "plugin".
	Packages map[string]Fingerprint `json:"packages"`

	// Needed are the shared libraries that the dynamic linker loads along with
	// the file (DT_NEEDED), in their order.
	Needed []string `json:"needed"`

	// RunPath are the directories that the file itself names for the dynamic
	// linker to look for them (DT_RUNPATH or DT_RPATH), as they are written:
	// $ORIGIN is the directory of the file, "" the working directory.
	RunPath []string `json:"run_path"`

	// RPath says that RunPath stands in DT_RPATH: it holds for all that is
	// loaded on behalf of the file, and comes before LD_LIBRARY_PATH. That of
	// DT_RUNPATH holds only for the libraries that the file itself needs.
	RPath bool `json:"rpath"`

	// Versions are the versions of their symbols without which the dynamic
	// linker refuses the file, such as GLIBC_2.34 of libc.so.6.
	Versions []SymbolVersion `json:"versions"`

	// Symbolic says that the file was linked with -Bsymbolic, so that it takes
	// no symbol from other files that it has itself.
	Symbolic bool `json:"symbolic"`

	// Sanitizers are the sanitizers of C compilers for which the file, or C code
	// in it, was compiled, in the order of their names.
	Sanitizers []Sanitizer `json:"sanitizers"`

	// CFunctions are the C functions that the file offers to whatever is loaded
	// after it, sorted. Those that every program of the Go toolchain has, of cgo
	// and of the sanitizers, are not among them.
	CFunctions []string `json:"c_functions"`

	// CImports are those of CFunctions that the file itself takes from whatever
	// was loaded before it, sorted. Linked with -Bsymbolic-functions it takes
	// none.
	CImports []string `json:"c_imports"`

	// CPackages are the marks that cgo gives to packages that call one of
	// CFunctions, sorted: of the same sources it makes the same mark.
	CPackages []string `json:"c_packages"`
}

// SymbolVersion is a version of a shared library's symbols. Libraries keep all
// versions that they ever had.
type SymbolVersion struct {
	// Library is the file that has the version, as in Facts.Needed.
	Library string `json:"library"`
	// Version is the version's name.
	Version string `json:"version"`
}

// Module is a module compiled into a binary. The zero value is no module.
type Module struct {
	// Path is the module path; the other fields are those of go version -m.
	Path    string  `json:"path"`
	Version string  `json:"version"`           // "(devel)" for a main module without version control
	Sum     string  `json:"sum,omitempty"`     // as in go.sum; "" for a main or a replaced module
	Replace *Module `json:"replace,omitempty"` // what was compiled instead, or nil
}

// Contract is a contract and the semantic version of it that a host has.
type Contract struct {
	// Name and Version are as in contract.Define.
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Fingerprint is the linker's hash of what a package exports. Two binaries can
// share a process only if every package in both has the same fingerprint in
// both. As text, in JSON too, it is 16 hexadecimal digits.
type Fingerprint [8]byte

// String returns the fingerprint as 16 lower-case hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// MarshalText returns the same digits as String. It never fails.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText takes 16 hexadecimal digits and leaves f alone on an error.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != len(f) {
		return fmt.Errorf("inspect: fingerprint %.40q: want %d hexadecimal digits", text, 2*len(f))
	}
	copy(f[:], raw)
	return nil
}

// ManifestText returns the manifest, or [ErrNoManifest] if the file exports no
// DriverManifest, or the *FormatError that says why it cannot be read.
func (f *Facts) ManifestText() (string, error) {
	switch {
	case f.ManifestErr != nil:
		return "", f.ManifestErr
	case !f.HasManifest:
		return "", ErrNoManifest
	}
	return f.Manifest, nil
}
