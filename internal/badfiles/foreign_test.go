//go:build linux

package badfiles_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

const emptyMain = "package main\n\nfunc main() {}\n"

// complete is what a right driver of package main needs. NAME stands for the
// name in the manifest.
const complete = `
import "database/sql/driver"

type own struct{}

func (own) Name() string                                   { return NAME }
func (own) OpenConnector(string) (driver.Connector, error) { return nil, nil }

type Contract = interface {
	Name() string
	OpenConnector(dsn string) (driver.Connector, error)
}

`

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return content
}

// of is a bad file with this content.
func of(family, name string, content []byte) bad {
	return bad{family: family, name: name, content: func() []byte { return content }}
}

// foreign are sound files that are no driver files.
func foreign(t *testing.T) []bad {
	return append(byC(t), byGo(t)...)
}

// byC are what a C compiler makes.
func byC(t *testing.T) []bad {
	const program = "int main(void) { return 0; }\n"
	forged := "__attribute__((visibility(\"default\"))) char %[1]s[16];\nvoid *NewDriver(void) { return 0; }\n"
	// A Go linker's names cannot be written in C, but in assembler.
	fingerprint := "__asm__(\".globl \\\"go:link.pkghashbytes.runtime\\\"; .data; .type \\\"go:link.pkghashbytes.runtime\\\",@object; " +
		".size \\\"go:link.pkghashbytes.runtime\\\",8; \\\"go:link.pkghashbytes.runtime\\\": .quad 1\");\n"
	dies := "__attribute__((constructor)) static void die(void) { __builtin_trap(); }\n"
	shared := []string{"-shared", "-fPIC"}
	var all []bad
	for _, c := range []struct {
		name, source string
		args         []string
		found        string
	}{
		{"C library", "int answer(void) { return 42; }\n", shared, ""},
		{"C library without symbols", "int answer(void) { return 42; }\n", append(shared, "-s"), ""},
		{"C library that exports NewDriver", fmt.Sprintf(forged, "DriverManifest"), shared, ""},
		{"C library that dies", dies, shared, ""},
		{"C library with a fingerprint", fingerprint, shared, "package fingerprints without it"},
		{"C program", program, []string{"-no-pie"}, ""},
		{"C program at any address", program, []string{"-pie", "-fPIE"}, ""},
		{"static C program", "void _start(void) { for (;;); }\n", []string{"-static", "-nostdlib"}, ""},
		{"C object", program, []string{"-c"}, "ET_REL"},
		{"C library without any section", "int x;\n", append(shared, "-nostdlib", "-Wl,-z,nosectionheader"), ""},
	} {
		file := filepath.Join(t.TempDir(), "file")
		source := file + ".c"
		require.NoError(t, os.WriteFile(source, []byte(c.source), 0o644))
		out, err := exec.Command("gcc", append(c.args, "-o", file, source)...).CombinedOutput()
		if strings.Contains(c.name, "section") && err != nil {
			continue // binutils before 2.41
		}
		require.NoError(t, err, "%s: %s", c.name, out)
		b := of("not Go", c.name, read(t, file))
		b.found = c.found
		all = append(all, refusedAt(loader.StageInspect, b))
	}
	return all
}

// byGo are what the go command makes that is no plugin for this machine.
func byGo(t *testing.T) []bad {
	module := func(name string) fixture.Source {
		return fixture.Source{Name: name, Files: map[string]string{"main.go": emptyMain}}
	}
	build := func(family, name string, s fixture.Source, args ...string) bad {
		s.Args = args
		return of(family, name, read(t, fixture.Build(t, s)))
	}
	cross := func(goos, goarch string) bad {
		s := module("program")
		s.Env = []string{"GOOS=" + goos, "GOARCH=" + goarch, "CGO_ENABLED=0"}
		return build("other machine", goos+"/"+goarch, s, "-buildmode=exe", "-race=false")
	}
	shared := fixture.Plain("cshared", fixture.Manifest("cshared", "1.0.0"), "import \"C\"\n\nfunc main() {}")
	archive := fixture.Plain("carchive", fixture.Manifest("carchive", "1.0.0"), "import \"C\"\n\nfunc main() {}")
	library := fixture.Source{Name: "library", Files: map[string]string{"library.go": "package library\n"}}
	fit := func(b bad, wanted, found, remedy string) bad {
		b.wanted, b.found, b.remedy = wanted, found, remedy
		return refusedAt(loader.StageFit, b)
	}
	inspected := func(b bad, found string) bad {
		b.found = found
		return refusedAt(loader.StageInspect, b)
	}
	return []bad{
		fit(build("Go, no plugin", "c-shared", shared, "-buildmode=c-shared"), "plugin", "c-shared", "drivercheck build"),
		fit(build("Go, no plugin", "c-shared, stripped", shared, "-buildmode=c-shared", "-ldflags=-s -w"), "plugin", "c-shared", "drivercheck build"),
		inspected(build("Go, no plugin", "c-archive", archive, "-buildmode=c-archive"), "an archive"),
		inspected(build("Go, no plugin", "compiled package", library, "-buildmode=default"), "an archive"),
		fit(build("Go, no plugin", "program", module("program"), "-buildmode=exe"), "plugin", "exe", ""),
		fit(build("Go, no plugin", "program linked by gcc", module("program"), "-buildmode=exe", "-ldflags=-linkmode=external"), "plugin", "exe", ""),
		fit(build("Go, no plugin", "pie", module("program"), "-buildmode=pie", "-race=false"), "plugin", "pie", ""),
		fit(cross("linux", "386"), "amd64", "386", ""),
		fit(cross("linux", "arm64"), "amd64", "arm64", ""),
		fit(cross("linux", "s390x"), "amd64", "s390x", ""), // big-endian
		inspected(cross("windows", "amd64"), "a Windows program"),
	}
}

// oldGo is Debian's.
const oldGo = "/usr/lib/go-1.19/bin/go"

// misfits are driver files for another host.
func misfits(t *testing.T) []bad {
	flagged := fixture.Plain("flagged", fixture.Manifest("flagged", "1.0.0"), "func NewDriver() int { return 0 }")
	trimpath := fixture.Host(t).Settings["-trimpath"] == "true"
	flagged.Args = []string{fmt.Sprintf("-trimpath=%v", !trimpath)}
	version := fixture.Host(t).GoVersion
	whole := victim(t)
	patched := func(name, old, new string) bad {
		b := of("misfit", name, replaced(whole, old, new))
		b.driver = "victim"
		return b
	}
	all := []bad{}
	add := func(b bad, wanted, found, remedy string) {
		b.wanted, b.found, b.remedy = wanted, found, remedy
		all = append(all, refusedAt(loader.StageFit, b))
	}
	add(of("misfit", "-trimpath", read(t, fixture.Build(t, flagged))), fmt.Sprintf("-trimpath %v", trimpath), fmt.Sprint(!trimpath), "-trimpath")
	add(of("misfit", "other version of a dependency", read(t, otherContract(t))), fixture.ContractModule, "v1.9.0", "")
	add(patched("missing library", "\x00libc.so.6\x00", "\x00libx.so.6\x00"), "libx.so.6", "none", "")
	const libc, newer = "GLIBC_2.2.5", "GLIBC_9.2.5"
	b := of("misfit", "newer libc", replaced(replaced(whole, "\x00"+libc+"\x00", "\x00"+newer+"\x00"), versionHash(libc), versionHash(newer)))
	b.driver = "victim"
	add(b, "GLIBC_9.2.5 of libc.so.6", "at most", "")
	mode := patched("other build mode", "-buildmode=plugin", "-buildmode=plugon")
	mode.driver = "" // of a file that is no plugin, no manifest is read
	add(mode, "plugin", "plugon", "")
	for _, next := range []string{version[:len(version)-1] + "_", "go9" + version[3:]} {
		b := patched("Go version "+next, version, next)
		b.family = "other Go version"
		add(b, "go version "+version, next, "with "+version)
	}
	machine := bad{family: "other machine", name: "plugin for linux/s390x", content: func() []byte {
		b := replaced(whole, "GOARCH=amd64", "GOARCH=s390x")
		b[18] = 22
		return b
	}}
	add(machine, "amd64", "s390x", "for linux/amd64")
	return append(all, byOldGo(t)...)
}

// versionHash is the hash of a symbol version's name, as a file has it beside the
// name.
func versionHash(name string) string {
	var h uint32
	for _, c := range []byte(name) {
		h = h<<4 + uint32(c)
		h = (h ^ h>>28<<4) & (1<<28 - 1)
	}
	return string(binary.LittleEndian.AppendUint32(nil, h))
}

// byOldGo are files of another toolchain, where there is one.
func byOldGo(t *testing.T) []bad {
	if _, err := os.Stat(oldGo); err != nil {
		t.Log("without files of Go 1.19, which needs another toolchain: apt-get install golang-1.19-go golang-1.19-src")
		return nil
	}
	source := fixture.Plain("oldgo", fixture.Manifest("oldgo", "1.0.0"), "import \"C\"\n\nfunc NewDriver() int { return 0 }\n\nfunc main() {}")
	source.Mod, source.Files["go.mod"] = "", "module example.com/fixture/oldgo\n\ngo 1.19\n"
	var all []bad
	for _, c := range []struct{ mode, found string }{{"plugin", "go1.19"}, {"c-shared", "no plugin"}, {"exe", "no plugin"}, {"pie", "no plugin"}} {
		source.Args = []string{"-buildmode=" + c.mode}
		file, err := fixture.Exact(t, oldGo, source)
		require.NoError(t, err)
		b := of("other Go version", "Go 1.19, "+c.mode, read(t, file))
		b.found = c.found
		all = append(all, refusedAt(loader.StageFit, b))
	}
	return all
}

// otherContract returns a plugin with a contract that has one more name than
// the host's.
func otherContract(t *testing.T) string {
	s := fixture.Plain("dependent", fixture.Manifest("dependent", "1.0.0"),
		"import \""+fixture.ContractModule+"\"\n\nfunc NewDriver() contract.Driver { return nil }")
	s.Files["go.mod"] = "module example.com/fixture/dependent\n\ngo 1.26\n\nrequire " + fixture.ContractModule + " v1.9.0\n\n" +
		"replace " + fixture.ContractModule + " => ./contract\n"
	sources, err := filepath.Glob("../../contract/*")
	require.NoError(t, err)
	for _, file := range sources {
		if text, err := os.ReadFile(file); err == nil && !strings.HasSuffix(file, "_test.go") {
			s.Files["contract/"+filepath.Base(file)] = string(text)
		}
	}
	s.Files["contract/more.go"] = "package contract\n\n// More is new.\nvar More int\n"
	return fixture.Build(t, s)
}
