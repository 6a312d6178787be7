package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"testing"
	"time"
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
	if kept > 3*len(file)+maxManifest {
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

// FuzzRead starts from files laid out by hand, small enough to mutate.
func FuzzRead(f *testing.F) {
	for _, machine := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64} {
		for _, reloc := range []string{"relative", "symbol", "inplace", "interface"} {
			c := newCraft()
			c.machine, c.reloc = machine, reloc
			f.Add(c.bytes())
		}
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
	for _, name := range []string{".dynamic", ".dynsym", ".dynstr", ".rela.dyn", ".go.module", ".go.buildinfo", ".shstrtab"} {
		s := parsed.Section(name)
		regions = append(regions, region{s.Offset, s.FileSize})
	}
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
