package inspect

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// needGCC skips where C cannot be compiled.
func needGCC(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a C library")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no C compiler: apt-get install gcc")
	}
}

// compile makes a shared library of C in a directory, for the dynamic linker.
func compile(t testing.TB, dir, name, source string, args ...string) string {
	t.Helper()
	needGCC(t)
	c, out := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(c, []byte(source), 0o644))
	text, err := exec.Command("gcc", append([]string{"-shared", "-fPIC", "-Wl,-soname," + name, "-o", out, c}, args...)...).CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

// calling is a plugin with C that is compiled in, or in a library.
func calling(module, preamble string, ldflags ...string) recipe {
	r := bare("// " + strings.ReplaceAll(preamble, "\n", "\n// ") + "\nimport \"C\"\n\nfunc Answer() int { return int(C.answer()) }")
	r.module, r.env = module, "CGO_LDFLAGS="+strings.Join(ldflags, " ")
	return r
}

// caller opens plugins and prints what each one's Answer is.
var caller = recipe{module: "example.com/caller", source: `package main

import (
	"fmt"
	"os"
	"plugin"
)

func main() {
	for _, file := range os.Args[1:] {
		p, err := plugin.Open(file)
		if err != nil {
			fmt.Println(err)
			os.Exit(9)
		}
		answer, _ := p.Lookup("Answer")
		fmt.Println(answer.(func() int)())
	}
}
`}

func run(t *testing.T, host file, env string, drivers ...file) (string, bool) {
	t.Helper()
	cmd := exec.Command(string(host))
	for _, d := range drivers {
		cmd.Args = append(cmd.Args, string(d))
	}
	cmd.Env = append(os.Environ(), env)
	text, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(text)), err == nil
}

func only(t *testing.T, kind Kind, misfits []Misfit) Misfit {
	t.Helper()
	require.Len(t, misfits, 1, "%v", misfits)
	require.Equal(t, kind, misfits[0].Kind)
	require.NotEmpty(t, misfits[0].Cause)
	require.NotEmpty(t, misfits[0].Remedy)
	return misfits[0]
}

// A library is found where the dynamic linker finds it, and nowhere else.
func TestMissingLibrary(t *testing.T) {
	dir := t.TempDir()
	compile(t, dir, "libkeywaytest.so.1", "int answer(void) { return 42; }")
	require.NoError(t, os.Symlink("libkeywaytest.so.1", filepath.Join(dir, "libkeywaytest.so")))
	driver := build(t, calling("example.com/needs", "int answer(void);", "-L"+dir, "-lkeywaytest"))
	host := build(t, caller)
	facts := driver.facts(t)
	assert.Contains(t, facts.Needed, "libkeywaytest.so.1")

	m := only(t, KindLibrary, FitIn(facts, host.facts(t), Place{Machine: newMachine("", "/etc/ld.so.cache")}))
	assert.Equal(t, "libkeywaytest.so.1", m.Subject)
	assert.Empty(t, m.Host)
	text, ok := run(t, host, "LD_LIBRARY_PATH=", driver)
	assert.False(t, ok)
	assert.Contains(t, text, "libkeywaytest.so.1: cannot open shared object file")

	assert.Empty(t, FitIn(facts, host.facts(t), Place{Machine: newMachine(dir, "/etc/ld.so.cache")}))
	text, ok = run(t, host, "LD_LIBRARY_PATH="+dir, driver)
	assert.True(t, ok)
	assert.Equal(t, "42", text)

	assert.Empty(t, Fit(facts, host.facts(t)), "of another machine nothing is known")
	for name, m := range map[string]*Machine{"no cache": newMachine("", "/none"), "a relative directory": newMachine("lib", "/etc/ld.so.cache"),
		"the working directory": newMachine(":/none", "/etc/ld.so.cache")} {
		assert.Empty(t, FitIn(facts, host.facts(t), Place{Machine: m}), name)
	}
}

// A driver file can name anything at all as a library. What is no regular file
// is not opened: a FIFO would keep the caller, and everybody after it.
func TestLibraryThatIsNone(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "libkeywayfifo.so")
	require.NoError(t, exec.Command("mkfifo", fifo).Run())
	done := make(chan answer, 1)
	go func() {
		m := newMachine("", "/none")
		assert.Empty(t, exportsOf(fifo))
		_, a := m.at(fifo)
		done <- a
	}()
	select {
	case a := <-done:
		assert.Equal(t, missing, a)
	case <-time.After(30 * time.Second):
		t.Fatal("waits for a writer")
	}
}

func TestRunPath(t *testing.T) {
	dir := t.TempDir()
	compile(t, dir, "libkeywayrun.so", "int answer(void) { return 43; }")
	at := Place{Machine: newMachine("", "/etc/ld.so.cache")}
	host := build(t, caller)
	for _, tag := range []string{"--enable-new-dtags", "--disable-new-dtags"} {
		driver := build(t, calling("example.com/run", "int answer(void);", "-L"+dir, "-lkeywayrun", "-Wl,"+tag, "-Wl,-rpath,/none:"+dir))
		facts := driver.facts(t)
		assert.Equal(t, []string{"/none", dir}, facts.RunPath)
		assert.Empty(t, FitIn(facts, host.facts(t), at))
		text, ok := run(t, host, "LD_LIBRARY_PATH=", driver)
		assert.True(t, ok, text)
	}
	// The loader opens a copy, beside which there is nothing.
	driver := build(t, calling("example.com/origin", "int answer(void);", "-L"+dir, "-lkeywayrun", "-Wl,-rpath,$ORIGIN"))
	facts := driver.facts(t)
	assert.Equal(t, []string{"$ORIGIN"}, facts.RunPath)
	m := only(t, KindLibrary, FitIn(facts, host.facts(t), at))
	assert.Contains(t, m.Cause, "a copy of the driver file")
}

// What a library needs in turn must be there as well.
func TestMissingLibraryOfALibrary(t *testing.T) {
	dir, inner := t.TempDir(), t.TempDir()
	compile(t, inner, "libkeywayinner.so", "int inner(void) { return 44; }")
	compile(t, dir, "libkeywayouter.so", "int inner(void);\nint answer(void) { return inner(); }", "-L"+inner, "-lkeywayinner")
	driver := build(t, calling("example.com/outer", "int answer(void);", "-L"+dir, "-lkeywayouter", "-Wl,--allow-shlib-undefined"))
	host := build(t, caller)
	m := only(t, KindLibrary, FitIn(driver.facts(t), host.facts(t), Place{Machine: newMachine(dir, "/etc/ld.so.cache")}))
	assert.Equal(t, "libkeywayinner.so", m.Subject)
	assert.Equal(t, "needed by libkeywayouter.so", m.Driver)
	_, ok := run(t, host, "LD_LIBRARY_PATH="+dir, driver)
	assert.False(t, ok)
	both := dir + ":" + inner
	assert.Empty(t, FitIn(driver.facts(t), host.facts(t), Place{Machine: newMachine(both, "/etc/ld.so.cache")}))
	_, ok = run(t, host, "LD_LIBRARY_PATH="+both, driver)
	assert.True(t, ok)
}

// A driver that was linked on a newer system is made by giving a version of
// glibc's another name.
func TestNewerLibc(t *testing.T) {
	host := build(t, caller)
	driver := build(t, calling("example.com/libc", "static int answer(void) { return 45; }"))
	at := Place{Machine: ThisMachine()}
	facts := driver.facts(t)
	assert.Empty(t, FitIn(facts, host.facts(t), at))
	require.Contains(t, facts.Versions, SymbolVersion{"libc.so.6", "GLIBC_2.34"})

	content := strings.ReplaceAll(string(driver.bytes(t)), "GLIBC_2.34\x00", "GLIBC_9.99\x00")
	newer := file(filepath.Join(t.TempDir(), "newer.so"))
	require.NoError(t, os.WriteFile(string(newer), []byte(content), 0o644))
	m := only(t, KindLibraryVersion, FitIn(newer.facts(t), host.facts(t), at))
	assert.Equal(t, "libc.so.6", m.Subject)
	assert.Equal(t, "GLIBC_9.99", m.Driver)
	assert.Regexp(t, `^GLIBC_2\.[0-9]+$`, m.Host)
	text, ok := run(t, host, "", newer)
	assert.False(t, ok)
	assert.Contains(t, text, "version `GLIBC_9.99' not found")
}

// The dynamic linker asserts that libraries of which versions are asked for are
// there.
func TestVersionsOfALibraryThatNothingNeeds(t *testing.T) {
	host, driver := build(t, caller), *build(t, tiny).facts(t)
	at := Place{Machine: ThisMachine()}
	driver.Versions = append(slices.Clone(driver.Versions), SymbolVersion{"libnothing.so.1", "ONE"}, SymbolVersion{"libnothing.so.1", "TWO"})
	m := only(t, KindLibrary, FitIn(&driver, host.facts(t), at))
	assert.Equal(t, "libnothing.so.1", m.Subject)

	driver.Needed = append(slices.Clone(driver.Needed), "libunknown-$ORIGIN/x.so")
	for _, m := range FitIn(&driver, host.facts(t), at) {
		assert.NotEqual(t, "libnothing.so.1", m.Subject, "perhaps what is not known needs it")
	}
}

// Names of C++ and Rust may have dots, as Go's do, and are no sign of Go's code.
func TestCFunctionsAmongThoseWithDots(t *testing.T) {
	needGCC(t)
	around := func(name string) string {
		return "int " + name + "(void) __asm__(\"_ZN3foo19" + name + "$LT$..GT$17h0E\"); int " + name + "(void) { return 1; }\n"
	}
	preamble := around("before") + "int answer(void) { return 4; }\n" + around("behind")
	f := build(t, calling("example.com/dotted", preamble)).facts(t)
	assert.Equal(t, []string{"answer"}, f.CFunctions)
}

// The dynamic linker gives every name to the first that has it.
func TestSameCFunctions(t *testing.T) {
	needGCC(t)
	host := build(t, caller)
	first := build(t, calling("example.com/first", "int answer(void) { return 1; }"))
	second := build(t, calling("example.com/second", "int answer(void) { return 2; }"))
	own := build(t, calling("example.com/own", "static int answer(void) { return 3; }"))
	assert.Equal(t, []string{"answer"}, first.facts(t).CFunctions)
	assert.Empty(t, own.facts(t).CFunctions)
	assert.Empty(t, host.facts(t).CFunctions)

	at := Place{Machine: ThisMachine(), Loaded: []Loaded{{File: "first.so", Facts: first.facts(t)}}}
	m := only(t, KindCFunctions, FitIn(second.facts(t), host.facts(t), at))
	assert.Equal(t, "answer in first.so", m.Host)
	assert.Equal(t, "drivercheck build DIR, which keeps the C functions of the driver to itself", m.Remedy)
	assert.Empty(t, FitIn(own.facts(t), host.facts(t), at))
	text, _ := run(t, host, "", first, second, own)
	assert.Equal(t, "1\n1\n3", text, "the second runs the first one's code")

	isolated := *second.facts(t)
	isolated.Isolation = &Isolation{ID: "second", Dropped: []Registration{}}
	assert.Empty(t, FitIn(&isolated, host.facts(t), at), "an isolated build keeps its functions")
}

// A file that keeps its functions to itself may have those that are loaded, and
// still gives them to others.
func TestSymbolicFunctions(t *testing.T) {
	needGCC(t)
	host := build(t, caller)
	first := build(t, calling("example.com/first", "int answer(void) { return 1; }"))
	second := build(t, calling("example.com/second", "int answer(void) { return 2; }").linked("-Wl,-Bsymbolic-functions"))
	third := build(t, calling("example.com/third", "int answer(void) { return 3; }"))
	facts := second.facts(t)
	assert.Equal(t, []string{"answer"}, facts.CFunctions)
	assert.Empty(t, facts.CImports)
	assert.Equal(t, []string{"answer"}, first.facts(t).CImports)
	assert.False(t, facts.Symbolic)
	assert.Empty(t, FitIn(facts, host.facts(t), Place{Loaded: []Loaded{{File: "first.so", Facts: first.facts(t)}}}))
	text, _ := run(t, host, "", first, second)
	assert.Equal(t, "1\n2", text)

	m := only(t, KindCFunctions, FitIn(third.facts(t), host.facts(t), Place{Loaded: []Loaded{{File: "second.so", Facts: facts}}}))
	assert.Equal(t, "answer in second.so", m.Host)
	text, _ = run(t, host, "", second, third)
	assert.Equal(t, "2\n2", text)
}

// The plugin would make itself known to a runtime of its own.
func TestSymbolic(t *testing.T) {
	needGCC(t)
	host := build(t, caller)
	driver := build(t, calling("example.com/symbolic", "int answer(void) { return 4; }", "-Wl,-Bsymbolic"))
	m := only(t, KindSymbolic, Fit(driver.facts(t), host.facts(t)))
	assert.Equal(t, "-Bsymbolic", m.Subject)
	text, ok := run(t, host, "", driver)
	assert.False(t, ok)
	assert.Contains(t, text, "no plugin module data")
}

// A host that has the functions itself, or from a library.
func TestSameCFunctionsInTheHost(t *testing.T) {
	dir := t.TempDir()
	lib := compile(t, dir, "libkeywayfirst.so", "int answer(void) { return 5; }")
	c := caller
	c.extra = map[string]string{"c.go": "package main\n\n// int answer(void) { return 6; }\nimport \"C\"\n\nvar Own = C.answer()\n"}
	driver := build(t, calling("example.com/second", "int answer(void) { return 2; }"))
	host := build(t, c)
	m := only(t, KindCFunctions, Fit(driver.facts(t), host.facts(t)))
	assert.Equal(t, "answer in the host program", m.Host)
	text, _ := run(t, host, "", driver)
	assert.Equal(t, "6", text)

	c.extra = map[string]string{"c.go": "package main\n\n// int answer(void);\nimport \"C\"\n\nvar Own = C.answer()\n"}
	c.env = "CGO_LDFLAGS=-L" + dir + " -lkeywayfirst"
	host = build(t, c)
	m = only(t, KindCFunctions, FitIn(driver.facts(t), host.facts(t), Place{Machine: newMachine(dir, "/etc/ld.so.cache")}))
	assert.Equal(t, "answer in "+lib, m.Host)
	text, _ = run(t, host, "LD_LIBRARY_PATH="+dir, driver)
	assert.Equal(t, "5", text)
}

// A package that both have, of the same sources, may be shared.
func TestSharedCgoPackage(t *testing.T) {
	needGCC(t)
	dep := func(r recipe) recipe {
		r = depending(r.with("-trimpath"), "v1.0.0", "// int answer(void) { return 7; }\nimport \"C\"\n\nvar Value = int(C.answer())")
		return r
	}
	driver, host := build(t, dep(bare("func Answer() int { return Used }"))), build(t, dep(caller))
	assert.Equal(t, []string{"answer"}, driver.facts(t).CFunctions)
	assert.Len(t, driver.facts(t).CPackages, 1)
	assert.Empty(t, FitIn(driver.facts(t), host.facts(t), Place{Machine: ThisMachine()}))
	text, ok := run(t, host, "", driver)
	assert.True(t, ok, text)
	assert.Equal(t, "7", text)
}

// What every program of the toolchain has is no clash, whatever it imports.
func TestToolchainFunctions(t *testing.T) {
	needGCC(t)
	for _, args := range []string{"", "-race", "-asan"} {
		for _, r := range []recipe{caller, bare("import (\n\t\"net\"\n\t\"os/user\"\n)\n\nvar A, B = net.LookupHost, user.Current")} {
			r.source = strings.Replace(r.source, "package main\n\nimport (", "package main\n\nimport (\n\t_ \"net\"\n\t_ \"os/user\"", 1)
			f := build(t, r.with(nonEmpty([]string{args})...)).facts(t)
			assert.Empty(t, f.CFunctions, "%s of %s", args, r.module)
			assert.Empty(t, f.CPackages)
		}
	}
}

func TestParseCache(t *testing.T) {
	text, err := os.ReadFile("/etc/ld.so.cache")
	if err != nil {
		t.Skip("no glibc here: ", err)
	}
	paths, ok := parseCache(text)
	require.True(t, ok)
	listed, err := exec.Command("/sbin/ldconfig", "-p").Output()
	require.NoError(t, err)
	want := map[string][]string{}
	for line := range strings.Lines(string(listed)) {
		if name, path, ok := strings.Cut(strings.TrimSpace(line), " => "); ok {
			name, _, _ = strings.Cut(name, " ")
			want[name] = append(want[name], path)
		}
	}
	for name := range want {
		slices.Sort(want[name])
		slices.Sort(paths[name])
	}
	assert.Equal(t, want, paths)

	old := append([]byte(oldCacheMagic+"\x00"), 1, 0, 0, 0)
	old = append(old, make([]byte, oldCacheRecord+4)...)
	again, ok := parseCache(append(old, text...))
	require.True(t, ok, "behind the older form")
	assert.Len(t, again, len(paths))
	for _, cut := range []int{0, 20, cacheHeader, cacheHeader + cacheRecord, len(text) / 2} {
		_, ok := parseCache(text[:cut])
		assert.False(t, ok, "%d bytes", cut)
	}
	forged := slices.Clone(text)
	binary.NativeEndian.PutUint32(forged[20:], 1<<31)
	_, ok = parseCache(forged)
	assert.False(t, ok)
}

// ldconfig's list leads to directories that nobody searches, and may be stale.
func TestFindByCache(t *testing.T) {
	path := compile(t, t.TempDir(), "libkeywaycached.so.1", "int answer(void) { return 1; }")
	const name, gone = "libkeywaycached.so.1", "libkeywaygone.so.1"
	list := filepath.Join(t.TempDir(), "ld.so.cache")
	write := func(pairs ...string) {
		text := make([]byte, cacheHeader+len(pairs)/2*cacheRecord)
		copy(text, cacheMagic)
		binary.NativeEndian.PutUint32(text[20:], uint32(len(pairs)/2))
		for i, s := range pairs {
			binary.NativeEndian.PutUint32(text[cacheHeader+i/2*cacheRecord+4+i%2*4:], uint32(len(text)))
			text = append(text, s+"\x00"...)
		}
		require.NoError(t, os.WriteFile(list, text, 0o644))
	}
	write()
	m := newMachine("", list)
	_, a := m.search().find(name, &object{})
	assert.Equal(t, missing, a)
	write(name, path, gone, path+".gone")
	lib, a := m.search().find(name, &object{})
	require.Equal(t, found, a)
	assert.Equal(t, path, lib.path)
	assert.Equal(t, name, lib.soname)
	_, a = m.search().find(gone, &object{})
	assert.Equal(t, missing, a)
	lib, a = newMachine("", list).search().find(name, &object{})
	require.Equal(t, found, a)
	assert.Equal(t, path, lib.path)
}

// A library that this process has loaded by a path of its own may be found by
// its name.
func TestMappedIsNotMissing(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	_, a := newMachine("", "/etc/ld.so.cache").search().find(filepath.Base(program), &object{})
	assert.Equal(t, unknown, a)
}

// The dynamic linker passes by what is for another machine.
func TestForeignLibrary(t *testing.T) {
	other := elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		other = elf.EM_X86_64
	}
	dir := t.TempDir()
	path := compile(t, dir, "libkeywayforeign.so", "int answer(void) { return 1; }")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	m := newMachine(dir, "/etc/ld.so.cache")
	binary.LittleEndian.PutUint16(content[18:], uint16(other))
	require.NoError(t, os.WriteFile(path, content, 0o644))
	_, a := m.search().find("libkeywayforeign.so", &object{})
	assert.Equal(t, missing, a)
	require.NoError(t, os.WriteFile(path, []byte("INPUT(-lfoo)"), 0o644))
	lib, a := m.search().find("libkeywayforeign.so", &object{})
	assert.Equal(t, found, a, "what is not understood is there")
	assert.Nil(t, lib)
}

func TestLibraryVersionsOfLibc(t *testing.T) {
	if _, err := os.Stat("/etc/ld.so.cache"); err != nil {
		t.Skip("no glibc here: ", err)
	}
	libc, a := ThisMachine().search().find("libc.so.6", &object{})
	require.Equal(t, found, a)
	require.NotNil(t, libc)
	assert.Equal(t, "libc.so.6", libc.soname)
	assert.True(t, libc.versions["GLIBC_2.17"])
	assert.True(t, libc.exports()["malloc"])
	again, _ := ThisMachine().search().find("libc.so.6", &object{})
	assert.Same(t, libc, again)
}

func TestCompareSymbolVersions(t *testing.T) {
	versions := []string{"GLIBC_2.34", "GLIBC_2.9", "GLIBC_2.2.5", "GLIBC_2.10", "GLIBC_2.2"}
	slices.SortFunc(versions, compareSymbolVersions)
	assert.Equal(t, []string{"GLIBC_2.2", "GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.10", "GLIBC_2.34"}, versions)
}
