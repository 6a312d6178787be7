package inspect

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadPlugin(t *testing.T) {
	exported := []string{"DriverManifest", "Extra", "NewDriver", "Second"}
	for _, tc := range []struct {
		name, path string
		recipe     recipe
	}{
		{"plain", "example.com/tiny.v2", tiny},
		{"stripped", "example.com/tiny.v2", tiny.with("-ldflags=-s -w")},
		{"trimpath", "example.com/tiny.v2", tiny.with("-trimpath")},
		{"packed relocations", "example.com/tiny.v2", tiny.with("-ldflags=-extldflags=-Wl,-z,pack-relative-relocs")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := build(t, tc.recipe).facts(t)
			assert.Equal(t, runtime.Version(), f.GoVersion)
			assert.Equal(t, "linux", f.GOOS)
			assert.Equal(t, runtime.GOARCH, f.GOARCH)
			assert.Equal(t, "plugin", f.BuildMode)
			assert.Equal(t, tc.path, f.PluginPath)
			assert.Equal(t, exported, f.Symbols)
			assert.Contains(t, f.Packages, tc.path)
			assert.Contains(t, f.Packages, "runtime")
			assert.Contains(t, f.Needed, "libc.so.6")
			require.Len(t, f.Modules, 1)
			assert.Equal(t, "example.com/tiny.v2", f.Modules[0].Path)
			text, err := f.ManifestText()
			require.NoError(t, err)
			assert.Equal(t, `{"name":"tiny"}`, text)
		})
	}
}

// The fingerprints must be those that other tools see in the same symbols.
func TestFingerprintsAreTheFilesOwn(t *testing.T) {
	path := build(t, tiny)
	got := path.facts(t).Packages
	parsed, err := elf.Open(string(path))
	require.NoError(t, err)
	defer parsed.Close()
	syms, err := parsed.DynamicSymbols()
	require.NoError(t, err)
	want := map[string]Fingerprint{}
	for _, s := range syms {
		if name, ok := strings.CutPrefix(s.Name, printPrefix); ok {
			sec := parsed.Sections[s.Section]
			var print Fingerprint
			_, err := sec.ReadAt(print[:], int64(s.Value-sec.Addr))
			require.NoError(t, err)
			want[name] = print
		}
	}
	assert.Equal(t, want, got)
}

func TestPluginPathIsNotAlwaysThePackage(t *testing.T) {
	list := tiny
	list.files = "main.go"
	f := build(t, list).facts(t)
	assert.Regexp(t, `^plugin/unnamed-[0-9a-f]{40}$`, f.PluginPath)
	assert.Equal(t, []string{"DriverManifest", "Extra", "NewDriver", "Second"}, f.Symbols)
	assert.Equal(t, `{"name":"tiny"}`, f.Manifest)

	f = build(t, tiny.with("-ldflags=-pluginpath=foo/bar.x")).facts(t)
	assert.Equal(t, "foo/bar.x", f.PluginPath)
	assert.Empty(t, f.Symbols, "the runtime would look for foo/bar%2ex.NewDriver")
	_, err := f.ManifestText()
	assert.ErrorIs(t, err, ErrNoManifest)
}

func TestManifestOfRealPlugins(t *testing.T) {
	f := build(t, bare(`var DriverManifest = "{\"name\":\"var\"}"`)).facts(t)
	assert.Equal(t, `{"name":"var"}`, f.Manifest)

	f = build(t, bare(`var Other = 1`)).facts(t)
	_, err := f.ManifestText()
	require.ErrorIs(t, err, ErrNoManifest)
	assert.Equal(t, []string{"Other"}, f.Symbols)

	f = build(t, bare("func text() string { return \"{}\" + string(rune(len(Other))) }\nvar Other []int\nvar DriverManifest = text()")).facts(t)
	text, err := f.ManifestText()
	require.NoError(t, err, "set at run time: there, and empty")
	assert.Empty(t, text)

	f = build(t, bare(`var DriverManifest any = "text"`)).facts(t)
	_, err = f.ManifestText()
	requireKind(t, BadManifest, err)

	embed := bare("import _ \"embed\"\n\n//go:embed driver.json\nvar DriverManifest string")
	embed.extra = map[string]string{"driver.json": strings.Repeat(" ", maxManifest)}
	f = build(t, embed).facts(t)
	assert.Len(t, f.Manifest, maxManifest)

	embed.extra = map[string]string{"driver.json": strings.Repeat(" ", maxManifest+1)}
	f = build(t, embed).facts(t)
	_, err = f.ManifestText()
	requireKind(t, BadManifest, err)
	assert.Equal(t, []string{"DriverManifest"}, f.Symbols, "the other facts stand")
}

// A driver may have a variable of that name for itself.
func TestIsolation(t *testing.T) {
	want := &Isolation{ID: "x_v1.0.0", Dropped: []Registration{{Package: "example.com/x", Name: "x"}, {Package: "example.com/y"}}}
	for text, want := range map[string]*Isolation{
		fmt.Sprintf("%q", want.Text()): want,
		`"not JSON"`:                   nil,
		`"{}"`:                         nil,
		`17`:                           nil,
	} {
		f := build(t, bare("var DriverManifest = \"{}\"\nvar DriverIsolation = "+text)).facts(t)
		assert.Equal(t, want, f.Isolation, text)
		assert.Equal(t, "{}", f.Manifest)
	}
}

func TestContractsOfAHost(t *testing.T) {
	host := program
	host.source = `package main

import (
	"fmt"
	_ "plugin"

	"example.com/host/other"
)

var keywayContract = [2]string{"sql", "1.4.0-rc.1+b2"}

func main() { fmt.Println(keywayContract, other.Text()) }
`
	host.module = "example.com/host"
	host.extra = map[string]string{"other/other.go": `package other

var keywayContract = [2]string{"codec", "2.0.0"}

func Text() []string { return keywayContract[:] }
`}
	want := []Contract{{"codec", "2.0.0"}, {"sql", "1.4.0-rc.1+b2"}}
	assert.Equal(t, want, build(t, host).facts(t).Contracts)
	assert.Equal(t, want, build(t, host.inMode("pie")).facts(t).Contracts)
	assert.Empty(t, build(t, program).facts(t).Contracts)

	host.source = strings.Replace(host.source, `"1.4.0-rc.1+b2"`, `"one\n"`, 1)
	assert.Equal(t, want[:1], build(t, host).facts(t).Contracts)
}

func TestOtherBuildModes(t *testing.T) {
	library := recipe{module: "example.com/lib", mode: "c-shared",
		source: "package main\n\nimport \"C\"\n\n//export Hello\nfunc Hello() {}\n\nfunc main() {}\n"}
	host := build(t, program).facts(t)
	assert.Contains(t, host.Packages, "plugin")
	for _, tc := range []struct {
		recipe recipe
		mode   string
	}{{plain, "exe"}, {plain.inMode("pie"), "pie"}, {program, "exe"}, {library, "c-shared"}} {
		f := build(t, tc.recipe).facts(t)
		assert.Equal(t, tc.mode, f.BuildMode)
		assert.Empty(t, f.PluginPath)
		assert.Empty(t, f.Symbols)
		misfits := Fit(f, host)
		require.NotEmpty(t, misfits, tc.mode)
		assert.Equal(t, KindBuildMode, misfits[0].Kind)
		assert.Equal(t, tc.mode, misfits[0].Driver)
	}
}

// Other build systems run the linker themselves, and record no settings. What a
// plugin is shows nevertheless.
func TestPluginWithoutSettings(t *testing.T) {
	script := filepath.Join(t.TempDir(), "tool")
	require.NoError(t, os.WriteFile(script, []byte(`#!/bin/sh
case $1 in */link)
	for a; do case $a in */importcfg.link) sed -i /^modinfo/d "$a" ;; esac; done ;;
esac
exec "$@"
`), 0o700))
	unrecorded := func(r recipe) file { return build(t, r.with("-toolexec="+script)) }
	library := recipe{module: "example.com/unrecorded", mode: "c-shared",
		source: "package main\n\nimport \"C\"\nimport _ \"plugin\"\n\n//export Hello\nfunc Hello() {}\n\nfunc main() {}\n"}
	host := build(t, program)

	driver := unrecorded(tiny)
	f := driver.facts(t)
	assert.Empty(t, f.Settings)
	assert.Equal(t, runtime.Version(), f.GoVersion)
	assert.Equal(t, "plugin", f.BuildMode)
	assert.Equal(t, "example.com/tiny.v2", f.PluginPath)
	assert.Equal(t, []string{"DriverManifest", "Extra", "NewDriver", "Second"}, f.Symbols)
	assert.Empty(t, Fit(f, host.facts(t)))
	text, ok := run(t, host, "", driver)
	assert.True(t, ok, text)

	for _, r := range []recipe{program, program.inMode("pie"), library} {
		f := unrecorded(r).facts(t)
		assert.Contains(t, f.Packages, "runtime", "has fingerprints, as a plugin does")
		assert.Empty(t, f.BuildMode)
		misfits := Fit(f, host.facts(t))
		require.NotEmpty(t, misfits)
		assert.Equal(t, KindBuildMode, misfits[0].Kind)
	}
}

func TestNotGo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a C library")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no C compiler: apt-get install gcc")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "lib.c")
	require.NoError(t, os.WriteFile(source, []byte("int answer(void) { return 42; }\n"), 0o644))
	out := filepath.Join(dir, "lib.so")
	text, err := exec.Command("gcc", "-shared", "-fPIC", "-o", out, source).CombinedOutput()
	require.NoError(t, err, "%s", text)
	_, err = ReadFile(out)
	requireKind(t, NotGo, err)
}

func TestReadFileRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadFile(dir)
	requireKind(t, NotELF, err)
	_, err = ReadFile(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o644))
	_, err = ReadFile(empty)
	assert.Contains(t, requireKind(t, NotELF, err).Found, "empty")
}

// A file cut at any boundary of a section or segment would kill its host.
func TestTruncatedPlugin(t *testing.T) {
	path := build(t, tiny)
	whole := path.bytes(t)
	parsed, err := elf.Open(string(path))
	require.NoError(t, err)
	defer parsed.Close()
	cuts := []uint64{64, 4096, uint64(len(whole)) / 2, uint64(len(whole)) - 1}
	for _, s := range parsed.Sections {
		cuts = append(cuts, s.Offset, s.Offset+s.FileSize)
	}
	for _, p := range parsed.Progs {
		cuts = append(cuts, p.Off, p.Off+p.Filesz)
	}
	for _, cut := range cuts {
		if cut < elf.EI_NIDENT || cut >= uint64(len(whole)) {
			continue
		}
		_, err := readBytes(whole[:cut])
		requireKind(t, Truncated, err)
	}
}

// Another architecture is read in full where this package knows it, and as far
// as the build information where it does not.
func TestOtherArchitectures(t *testing.T) {
	small := plain
	small.env = "GOARCH=386\nCGO_ENABLED=0"
	f := build(t, small).facts(t)
	assert.Equal(t, "386", f.GOARCH)
	assert.Equal(t, "exe", f.BuildMode)
	big := plain
	big.env = "GOARCH=s390x\nCGO_ENABLED=0"
	f = build(t, big).facts(t)
	assert.Equal(t, "s390x", f.GOARCH)
	assert.Equal(t, runtime.Version(), f.GoVersion)
	misfits := Fit(f, build(t, program).facts(t))
	assert.Equal(t, KindPlatform, misfits[0].Kind)
}

func TestReadArm64Plugin(t *testing.T) {
	const compiler = "aarch64-linux-gnu-gcc"
	if _, err := exec.LookPath(compiler); err != nil && runtime.GOARCH != "arm64" {
		t.Skip("no compiler for arm64: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
	}
	cross := tiny
	if runtime.GOARCH != "arm64" {
		cross.env = "GOARCH=arm64\nCC=" + compiler
	}
	f := build(t, cross).facts(t)
	assert.Equal(t, "arm64", f.GOARCH)
	assert.Equal(t, "example.com/tiny.v2", f.PluginPath)
	assert.Equal(t, []string{"DriverManifest", "Extra", "NewDriver", "Second"}, f.Symbols)
	assert.Equal(t, `{"name":"tiny"}`, f.Manifest)
	assert.Contains(t, f.Packages, "runtime")
	if runtime.GOARCH != "arm64" {
		misfits := Fit(f, build(t, program).facts(t))
		require.Len(t, misfits, 1, "%v", misfits)
		assert.Equal(t, KindPlatform, misfits[0].Kind)
		assert.Greater(t, misfits[0].Count, 10)
	}
}

func TestSelf(t *testing.T) {
	f, err := Self()
	require.NoError(t, err)
	assert.Equal(t, runtime.Version(), f.GoVersion)
	assert.Empty(t, f.PluginPath)
	again, _ := Self()
	assert.Same(t, f, again)
}
