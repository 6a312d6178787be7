package inspect

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// Read reads the facts of the binary in the first size bytes of r. It reads
// only the tables it needs, holds at most about the size of the file's dynamic
// tables in memory, and never more than a few hundred megabytes whatever
// the file claims. The error is a *[FormatError]; the Facts are nil then.
func Read(r io.ReaderAt, size int64) (*Facts, error) {
	img, err := openImage(r, size)
	if err != nil {
		return nil, err
	}
	f := &Facts{
		Settings:   map[string]string{},
		Modules:    []Module{},
		Symbols:    []string{},
		Contracts:  []Contract{},
		Packages:   map[string]Fingerprint{},
		Needed:     []string{},
		RunPath:    []string{},
		Versions:   []SymbolVersion{},
		Sanitizers: []Sanitizer{},
		CFunctions: []string{},
		CImports:   []string{},
		CPackages:  []string{},
	}
	infoPath, hasInfo, err := img.readBuildInfo(f)
	if err != nil {
		return nil, err
	}
	if err := img.setPlatform(f); err != nil {
		return nil, err
	}
	if !img.hasFullReader() {
		if !hasInfo {
			return nil, notGo()
		}
		return f, nil
	}
	if err := img.readDynamicFacts(f, infoPath, hasInfo); err != nil {
		return nil, err
	}
	return f, nil
}

// readDynamicFacts fills in everything that stands in the dynamic tables. A
// file without them (a static program) has none of it, which is no error.
func (img *image) readDynamicFacts(f *Facts, infoPath string, hasInfo bool) error {
	dyn, err := img.openDynamic()
	if err != nil {
		return err
	}
	if dyn == nil {
		if !hasInfo {
			return notGo()
		}
		return nil
	}
	if err := dyn.readLinking(f); err != nil {
		return err
	}
	prints, err := dyn.fingerprints()
	if err != nil {
		return err
	}
	f.Packages = prints.byPath
	if !hasInfo {
		if err := prints.withoutBuildInfo(); err != nil {
			return err
		}
		f.BuildMode = "plugin"
	}
	if f.BuildMode == "" {
		// Other build systems than the go command record no settings. The linker
		// gives a plugin path to plugins alone.
		path, err := dyn.modulePath(f.Packages)
		if err != nil {
			return err
		}
		if path != "" {
			f.BuildMode = "plugin"
		}
	}
	if f.BuildMode != "plugin" {
		f.Contracts, err = dyn.contracts()
		return err
	}
	if f.PluginPath, err = dyn.pluginPath(infoPath, f.Packages); err != nil {
		return err
	}
	if err := dyn.readExports(f); err != nil {
		return err
	}
	return dyn.check()
}

// setPlatform settles GOOS and GOARCH: the build information where there is
// some, else what the ELF header tells.
func (img *image) setPlatform(f *Facts) error {
	f.GOOS, f.GOARCH = f.Settings["GOOS"], f.Settings["GOARCH"]
	f.BuildMode = f.Settings["-buildmode"]
	arch := goarchOf[img.machine]
	if f.GOARCH == "" {
		f.GOARCH = arch
	}
	if arch != "" && f.GOARCH != arch {
		return disagree(fmt.Sprintf("a file for %s, as its build information says", f.GOARCH),
			fmt.Sprintf("an ELF header for %s", arch))
	}
	if f.GOOS == "" {
		f.GOOS = "linux"
		if img.osabi == elf.ELFOSABI_FREEBSD {
			f.GOOS = "freebsd"
		}
	}
	return nil
}

// goarchOf leaves out machines whose GOARCH depends on more than the number.
var goarchOf = map[elf.Machine]string{
	elf.EM_386:       "386",
	elf.EM_X86_64:    "amd64",
	elf.EM_ARM:       "arm",
	elf.EM_AARCH64:   "arm64",
	elf.EM_RISCV:     "riscv64",
	elf.EM_LOONGARCH: "loong64",
	elf.EM_S390:      "s390x",
}

// ReadFile reads the facts of a binary on disk, for instance of a host program.
// The path is opened as it stands, links and devices included: a caller that
// does not trust it should open it itself and use [Read]. An error of the
// operating system is wrapped, not a *FormatError.
func ReadFile(path string) (*Facts, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, &FormatError{Kind: NotELF, Wanted: "a regular file", Found: kindOfMode(info.Mode()),
			Remedy: "name the binary itself"}
	}
	return Read(file, info.Size())
}

// kindOfMode says in words what a path that is no regular file is.
func kindOfMode(mode os.FileMode) string {
	if mode.IsDir() {
		return "a directory"
	}
	return strings.ToLower("a special file (" + mode.Type().String() + ")")
}

var self = sync.OnceValues(func() (*Facts, error) {
	// The link in /proc leads to the running program even after its file was
	// replaced or removed, which os.Executable's path does not.
	if f, err := ReadFile("/proc/self/exe"); err == nil {
		return f, nil
	}
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	return ReadFile(path)
})

// Self returns the facts of the running program. The file is read once; every
// call returns the same Facts, which must not be changed, or the same error.
func Self() (*Facts, error) { return self() }
