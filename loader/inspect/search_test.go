package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// linked is a recipe that the C linker gets flags for. The flags are no part of
// what the go command caches of other packages.
func (r recipe) linked(flags ...string) recipe {
	return r.with("-ldflags=-linkmode=external -extldflags '-Wl,--no-as-needed " + strings.Join(flags, " ") + "'")
}

// Who needs a library decides where it is looked for: each case asks the dynamic
// linker itself as well.
func TestWhoseDirectoriesCount(t *testing.T) {
	outer, inner, none := t.TempDir(), t.TempDir(), t.TempDir()
	compile(t, inner, "libkeywayin.so", "int inner(void) { return 40; }")
	compile(t, outer, "libkeywayout.so", "int inner(void);\nint answer(void) { return inner() + 2; }", "-L"+inner, "-lkeywayin")
	compile(t, none, "libkeywayout.so", "int inner(void);\nint answer(void) { return inner() + 3; }", "-L"+inner, "-lkeywayin",
		"-Wl,--enable-new-dtags,-rpath,/none")
	const newTags, oldTags = "-Wl,--enable-new-dtags,-rpath,", "-Wl,--disable-new-dtags,-rpath,"
	needs, both, link := "-lkeywayout", "-lkeywayout -lkeywayin", "-Wl,--allow-shlib-undefined -L"+inner+" -L"+outer
	for _, tc := range []struct {
		name          string
		host, driver  string // linker flags
		want, missing string
	}{
		{"DT_RUNPATH of the host", newTags + outer + ":" + inner, needs, "", "libkeywayout.so"},
		{"DT_RPATH of the host", oldTags + outer + ":" + inner, needs, "42", ""},
		{"DT_RPATH of the host, DT_RUNPATH of the driver", oldTags + outer + ":" + inner, needs + " " + newTags + "/none", "", "libkeywayout.so"},
		{"DT_RPATH of the host, $ORIGIN in DT_RUNPATH", oldTags + outer + ":" + inner, needs + " " + newTags + "$ORIGIN", "", "libkeywayout.so"},
		{"DT_RUNPATH of the driver, for a library's", "", needs + " " + newTags + outer + ":" + inner, "", "libkeywayin.so"},
		{"DT_RPATH of the driver, for a library's", "", needs + " " + oldTags + outer + ":" + inner, "42", ""},
		{"DT_RPATH of the driver, for a library's with DT_RUNPATH", "", needs + " " + oldTags + none + ":" + inner, "", "libkeywayin.so"},
		{"the driver needs it first", "", both + " " + newTags + outer + ":" + inner, "42", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			driver := calling("example.com/whose", "int answer(void) __attribute__((weak));").linked(link, tc.driver)
			d, h := build(t, driver), build(t, caller.linked(tc.host))
			text, ok := run(t, h, "LD_LIBRARY_PATH=", d)
			misfits := FitIn(d.facts(t), h.facts(t), Place{Machine: newMachine("", "/etc/ld.so.cache")})
			if tc.missing == "" {
				assert.Equal(t, tc.want, text)
				assert.Empty(t, misfits)
				return
			}
			assert.False(t, ok)
			assert.Contains(t, text, tc.missing+": cannot open shared object file")
			assert.Equal(t, tc.missing, only(t, KindLibrary, misfits).Subject)
		})
	}
}

// DT_RPATH comes before LD_LIBRARY_PATH, and DT_RUNPATH after it.
func TestOrderOfDirectories(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	compile(t, first, "libkeywayorder.so", "int answer(void) { return 1; }")
	compile(t, second, "libkeywayorder.so", "int answer(void) { return 2; }")
	host, m := build(t, caller), newMachine(second, "/etc/ld.so.cache")
	for tag, want := range map[string]string{"--disable-new-dtags": "1", "--enable-new-dtags": "2"} {
		driver := build(t, calling("example.com/order", "int answer(void) __attribute__((weak));").
			linked("-L"+first, "-lkeywayorder", "-Wl,"+tag+",-rpath,"+first))
		text, _ := run(t, host, "LD_LIBRARY_PATH="+second, driver)
		assert.Equal(t, want, text)
		f := driver.facts(t)
		assert.Equal(t, []string{first}, f.RunPath)
		assert.Equal(t, tag == "--disable-new-dtags", f.RPath)
		lib, a := m.search().find("libkeywayorder.so", newObject("", f.RunPath, f.RPath, nil))
		require.Equal(t, found, a)
		assert.Equal(t, want, map[string]string{first: "1", second: "2"}[filepath.Dir(lib.path)])
	}
}

// hungry returns facts of a driver that needs what there is not, in as many
// directories as one text of the dynamic table can name.
func hungry(needed, dirs int) (driver, host *Facts) {
	f, host := invented()
	f.GOOS, f.GOARCH = runtime.GOOS, runtime.GOARCH
	host.GOOS, host.GOARCH = runtime.GOOS, runtime.GOARCH
	for i := range needed {
		f.Needed = append(f.Needed, fmt.Sprintf("libkeyway%d.so", i))
	}
	f.RunPath = slices.Repeat([]string{"/a"}, dirs)
	return f, host
}

// A file that asks for a million lookups costs some of them, and what was not
// looked for is not called missing.
func TestLookupsAreBounded(t *testing.T) {
	m := newMachine("", "/etc/ld.so.cache")
	d, h := hungry(maxNeeded, 1300)
	start := time.Now()
	misfits := FitIn(d, h, Place{Machine: m})
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.NotEmpty(t, misfits)
	assert.LessOrEqual(t, len(misfits), maxLookups/(1300*len(hwcaps)))

	s := m.search()
	s.left = 1
	_, a := s.find("libkeywaynone.so", &object{})
	assert.Equal(t, unknown, a)
}

func BenchmarkLookups(b *testing.B) {
	d, h := hungry(maxNeeded, 1300)
	at := Place{Machine: newMachine("", "/etc/ld.so.cache")}
	for b.Loop() {
		FitIn(d, h, at)
	}
}

// A process that runs for long sees what is installed or replaced meanwhile.
func TestReplacedLibrary(t *testing.T) {
	dir, m := t.TempDir(), newMachine("", "/etc/ld.so.cache")
	const name = "libkeywayreplaced.so"
	by := newObject("", []string{dir}, false, nil)
	_, a := m.search().find(name, by)
	assert.Equal(t, missing, a)

	one := compile(t, dir, name, "int one(void) { return 1; }")
	lib, _ := m.search().find(name, by)
	require.NotNil(t, lib)
	assert.True(t, lib.exports()["one"])
	again, _ := m.search().find(name, by)
	assert.Same(t, lib, again)

	two := compile(t, t.TempDir(), name, "int two(void) { return 2; }")
	require.NoError(t, os.Rename(two, one))
	lib, _ = m.search().find(name, by)
	require.NotNil(t, lib)
	assert.True(t, lib.exports()["two"])

	require.NoError(t, os.WriteFile(one, []byte("INPUT(-lother)"), 0o600))
	lib, a = m.search().find(name, by)
	assert.Equal(t, found, a, "written in place")
	assert.Nil(t, lib)
	require.NoError(t, os.Remove(one))
	_, a = m.search().find(name, by)
	assert.Equal(t, missing, a)
}

func TestNamesThatAreNotLookedFor(t *testing.T) {
	for _, name := range []string{"lib/relative.so", "$ORIGIN/beside.so", "/usr/$LIB/none.so"} {
		_, a := newMachine("", "/etc/ld.so.cache").search().find(name, &object{})
		assert.Equal(t, unknown, a, name)
	}
	_, a := newMachine("", "/etc/ld.so.cache").search().find("/none/libkeywaynone.so", &object{})
	assert.Equal(t, missing, a)
}
