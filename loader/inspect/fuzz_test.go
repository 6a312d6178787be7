package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyway-go/keyway/internal/badfiles"
)

// checkSound asserts what holds of every input: facts or a *FormatError, never
// both, within seconds, and facts that Fit and JSON can take.
func checkSound(t *testing.T, file []byte) {
	start := time.Now()
	f, err := readBytes(file)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%d bytes took %v", len(file), took)
	}
	if err != nil {
		var fe *FormatError
		if f != nil || !errors.As(err, &fe) || fe.Kind == Unreadable || fe.Error() == "" {
			t.Errorf("facts %v, error %#v", f, err)
		}
		return
	}
	kept := len(f.Manifest) + len(f.PluginPath)
	for _, name := range f.Symbols {
		kept += len(name)
	}
	for path := range f.Packages {
		kept += len(path)
	}
	for _, v := range f.Versions {
		kept += len(v.Library) + len(v.Version)
	}
	for _, name := range slices.Concat(f.RunPath, f.CFunctions, f.CPackages) {
		kept += len(name)
	}
	if kept > 8*len(file)+maxManifest+2*maxVersions*maxVersionName {
		t.Errorf("%d bytes of facts from a file of %d", kept, len(file))
	}
	if f.ManifestErr != nil && f.Manifest != "" || !f.HasManifest && f.Manifest != "" {
		t.Errorf("manifest %q, has %v, error %v", f.Manifest, f.HasManifest, f.ManifestErr)
	}
	if got := Fit(f, f); f.BuildMode == "plugin" && f.GoVersion != "" {
		for _, m := range got {
			if m.Kind == KindModule || m.Kind == KindStandard || m.Kind == KindGoVersion || m.Kind == KindSetting {
				t.Errorf("a file does not fit itself: %v", m)
			}
		}
	}
	if _, err := json.Marshal(f); err != nil {
		t.Error(err)
	}
}

// FuzzRead starts from files laid out by hand, small enough to mutate, and from
// all that is bad about them.
func FuzzRead(f *testing.F) {
	for _, machine := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64} {
		for _, reloc := range []string{"relative", "symbol", "inplace", "interface"} {
			c := newCraft()
			c.machine, c.reloc = machine, reloc
			f.Add(c.bytes())
		}
		c := newCraft()
		c.machine = machine
		all := badfiles.Of(c.bytes())
		if len(all) < 200 {
			f.Fatalf("the corpus has only %d files", len(all))
		}
		for _, d := range all {
			f.Add(d.Apply(c.bytes()))
		}
	}
	for _, d := range badfiles.Foreign() {
		f.Add(d.Apply(nil))
	}
	c := newCraft()
	c.mode = "c-shared"
	f.Add(c.bytes())
	c = newCraft()
	c.edit = func(b []byte, _ map[string]uint64) { b[elf.EI_CLASS], b[18] = 1, 3 }
	f.Add(c.bytes())
	c.edit = func(b []byte, _ map[string]uint64) { b[elf.EI_DATA] = 2 }
	f.Add(c.bytes())
	f.Add([]byte(elf.ELFMAG))
	f.Fuzz(checkSound)
}

// damages calls each with the few bytes that a damage puts over a good file, for
// those damages that are such.
func damages(good []byte, each func(off uint64, patch []byte)) {
	for _, d := range badfiles.Of(good) {
		bad := d.Apply(good)
		if len(bad) != len(good) {
			continue
		}
		first, last := 0, len(good)
		for first < last && bad[first] == good[first] {
			first++
		}
		for last > first && bad[last-1] == good[last-1] {
			last--
		}
		if last-first <= 64 {
			each(uint64(first), bad[first:last])
		}
	}
}

// FuzzPatch puts a few bytes over a table of a real plugin, chosen by number,
// so that the mutator works on bytes that matter and not on machine code.
func FuzzPatch(f *testing.F) {
	if testing.Short() {
		f.Skip("builds a plugin")
	}
	file := build(f, tiny.with("-ldflags=-s -w")).bytes(f)
	parsed, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		f.Fatal(err)
	}
	type region struct{ off, size uint64 }
	regions := []region{{0, 64 + 10*56}, {uint64(len(file)) - 46*64, 46 * 64}}
	for _, name := range []string{".dynamic", ".dynsym", ".dynstr", ".rela.dyn", ".go.module", ".go.buildinfo", ".shstrtab", ".gnu.version_r"} {
		s := parsed.Section(name)
		regions = append(regions, region{s.Offset, s.FileSize})
	}
	damages(file, func(off uint64, patch []byte) {
		for i, r := range regions {
			if off >= r.off && off-r.off < r.size {
				f.Add(uint8(i), uint32(off-r.off), patch)
			}
		}
	})
	work := make([]byte, len(file))
	for i := range regions {
		f.Add(uint8(i), uint32(0), []byte{0xff, 0, 0, 1, 0x80, 7, 0, 0})
		f.Add(uint8(i), uint32(24), []byte{8})
	}
	f.Fuzz(func(t *testing.T, which uint8, off uint32, patch []byte) {
		copy(work, file)
		r := regions[int(which)%len(regions)]
		copy(work[r.off+uint64(off)%r.size:], patch)
		checkSound(t, work)
	})
}

// FuzzLibrary reads what the dynamic linker of this machine would: bytes over a
// library with versions and functions, made by a C compiler.
func FuzzLibrary(f *testing.F) {
	dir := f.TempDir()
	script := filepath.Join(dir, "map")
	if err := os.WriteFile(script, []byte("ONE { global: one; };\nTWO { global: two; local: *; } ONE;\n"), 0o644); err != nil {
		f.Fatal(err)
	}
	path := compile(f, dir, "libfuzz.so", "#include <stdio.h>\nint one(void) { return puts(\"\"); }\nint two(void) { return 2; }",
		"-Wl,--version-script="+script, "-Wl,-rpath,/a:/b")
	file, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	parsed, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		f.Fatal(err)
	}
	lib, _ := readLibrary(bytes.NewReader(file), int64(len(file)))
	if lib == nil || !lib.versions["ONE"] || !lib.versions["TWO"] || lib.soname != "libfuzz.so" || len(lib.runPath) != 2 || len(lib.needs) == 0 {
		f.Fatalf("the library is read as %+v", lib)
	}
	for _, name := range []string{".gnu.version_d", ".gnu.version_r", ".dynamic", ".dynstr", ".dynsym"} {
		s := parsed.Section(name)
		f.Add(uint32(s.Offset), []byte{0xff, 0xff, 0xff, 0xff})
		f.Add(uint32(s.Offset+8), []byte{1, 0, 0, 0, 0, 0, 0, 0, 4})
		f.Add(uint32(s.Offset+16), []byte{0, 0, 0, 0})
	}
	damages(file, func(off uint64, patch []byte) { f.Add(uint32(off), patch) })
	f.Fuzz(func(t *testing.T, off uint32, patch []byte) {
		work := slices.Clone(file)
		copy(work[int(off)%len(work):], patch)
		start := time.Now()
		lib, a := readLibrary(bytes.NewReader(work), int64(len(work)))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if a == unknown || lib != nil && a != found {
			t.Errorf("%+v, %v", lib, a)
		}
	})
}

// FuzzCache reads the list of libraries that ldconfig writes.
func FuzzCache(f *testing.F) {
	seed := make([]byte, cacheHeader+2*cacheRecord)
	copy(seed, cacheMagic)
	binary.NativeEndian.PutUint32(seed[20:], 2)
	for i, off := range []int{0, 5} {
		rec := seed[cacheHeader+i*cacheRecord:]
		binary.NativeEndian.PutUint32(rec[4:], uint32(len(seed)))
		binary.NativeEndian.PutUint32(rec[8:], uint32(len(seed)+off))
	}
	seed = append(seed, "a.so\x00/lib/a.so\x00"...)
	if paths, ok := parseCache(seed); !ok || len(paths["a.so"]) != 2 || paths["a.so"][1] != "/lib/a.so" {
		f.Fatalf("the seed is read as %v", paths)
	}
	f.Add(seed)
	f.Add(append([]byte(oldCacheMagic+"\x00\x00\x00\x00\x00"), seed...))
	f.Fuzz(func(t *testing.T, text []byte) {
		paths, ok := parseCache(text)
		kept := 0
		for name, list := range paths {
			kept += len(name) + len(strings.Join(list, ""))
		}
		if ok != (paths != nil) || kept > 9*len(text) {
			t.Errorf("%d bytes kept of %d, %v", kept, len(text), ok)
		}
	})
}
