package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func readBytes(b []byte) (*Facts, error) { return Read(bytes.NewReader(b), int64(len(b))) }

// requireKind asserts that err is a *FormatError of the kind.
func requireKind(t *testing.T, want FormatKind, err error) *FormatError {
	t.Helper()
	var fe *FormatError
	require.ErrorAs(t, err, &fe)
	require.Equal(t, want, fe.Kind, "%v", err)
	require.NotEmpty(t, fe.Wanted)
	require.NotEmpty(t, fe.Found)
	return fe
}

func TestReadCrafted(t *testing.T) {
	for _, machine := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64} {
		for _, reloc := range []string{"relative", "symbol", "inplace"} {
			t.Run(machine.String()+"/"+reloc, func(t *testing.T) {
				c := newCraft()
				c.machine, c.reloc = machine, reloc
				f, err := readBytes(c.bytes())
				require.NoError(t, err)
				assert.Equal(t, &Facts{
					GoVersion: "go1.26.8", GOOS: "linux", GOARCH: goarchOf[machine], BuildMode: "plugin",
					Settings:    map[string]string{"-buildmode": "plugin", "GOOS": "linux", "GOARCH": goarchOf[machine]},
					Modules:     []Module{{Path: "example.com/dr.v2", Version: "(devel)"}},
					PluginPath:  "example.com/dr.v2",
					Manifest:    `{"name":"x"}`,
					HasManifest: true,
					Symbols:     []string{"DriverManifest", "NewDriver"},
					Packages: map[string]Fingerprint{
						"runtime": Fingerprint([]byte("fprunmai")), "example.com/dr.v2": Fingerprint([]byte("fprdriv1")),
					},
					Contracts: []Contract{}, Needed: []string{"libc.so.6"}, RunPath: []string{}, Versions: []SymbolVersion{}, Sanitizers: []Sanitizer{}, CFunctions: []string{}, CImports: []string{}, CPackages: []string{},
				}, f)
			})
		}
	}
}

func TestReadRefuses(t *testing.T) {
	word := func(table string, off int, value uint64) func([]byte, map[string]uint64) {
		return func(b []byte, at map[string]uint64) { binary.LittleEndian.PutUint64(b[int(at[table])+off:], value) }
	}
	head := func(off int, value ...byte) func([]byte, map[string]uint64) {
		return func(b []byte, _ map[string]uint64) { copy(b[off:], value) }
	}
	load, dynseg := 64, 64+56 // offsets of the two program headers
	for _, tc := range []struct {
		name   string
		want   FormatKind
		wanted string // part of FormatError.Wanted, where several checks have the kind
		edit   func([]byte, map[string]uint64)
	}{
		{"no magic", NotELF, "", head(0, 'M', 'Z')},
		{"unknown class", Unsupported, "", head(elf.EI_CLASS, 3)},
		{"unknown byte order", Unsupported, "", head(elf.EI_DATA, 0)},
		{"object file", Unsupported, "", head(16, byte(elf.ET_REL))},
		{"core dump", Unsupported, "", head(16, byte(elf.ET_CORE))},
		{"other machine than the build says", Inconsistent, "", head(18, byte(elf.EM_RISCV))},
		{"no section table", Corrupt, "a section table", head(60, 0)},
		{"no program headers", Corrupt, "program headers", head(56, 0)},
		{"names in no section", Corrupt, "section headers", head(62, 99)},
		{"segment past the end", Truncated, "", word("", load+32, 1<<20)},
		{"segment wraps around", Corrupt, "a place in the file", word("", load+8, ^uint64(0))},
		{"addresses wrap around", Corrupt, "holds what is loaded", word("", load+16, ^uint64(15))},
		{"segment smaller than its bytes", Corrupt, "holds what is loaded", word("", load+40, 1)},
		{"segments over each other", Corrupt, "rising address", head(dynseg, byte(elf.PT_LOAD))},
		{"two dynamic segments", Corrupt, "one dynamic segment", head(load, byte(elf.PT_DYNAMIC))},
		{"names in a table of another type", Corrupt, "section names", head(62, 1)},
		{"section at another address", Inconsistent, "", word("sections", 64+16, craftBase+0x60)},
		{"dynamic segment at another offset", Inconsistent, "", word("", dynseg+8, 64)},
		{"dynamic segment elsewhere", Inconsistent, "", word("", dynseg+16, craftBase+8)},
		{"dynamic segment unmapped", Inconsistent, "", word("", dynseg+16, 8)},
		{"dynamic segment gone", Inconsistent, "", word("", dynseg, uint64(elf.PT_NOTE))},
		{"DT_SYMTAB", Inconsistent, "", word("dynamic", 1*16+8, craftBase+0x100)},
		{"DT_STRTAB", Inconsistent, "", word("dynamic", 2*16+8, craftBase+0x100)},
		{"DT_STRSZ", Inconsistent, "", word("dynamic", 3*16+8, 9)},
		{"DT_SYMENT", Corrupt, "symbols of 24", word("dynamic", 4*16+8, 16)},
		{"DT_RELA", Inconsistent, "", word("dynamic", 5*16+8, craftBase+0x100)},
		{"DT_RELASZ", Inconsistent, "", word("dynamic", 6*16+8, 24)},
		{"DT_RELAENT", Corrupt, "relocations of 24", word("dynamic", 7*16+8, 8)},
		{"DT_RELAENT of 0 for no relocations", Corrupt, "relocations of 24", func(b []byte, at map[string]uint64) {
			clear(b[at["sections"]+3*64+32:][:8])
			clear(b[at["dynamic"]+6*16+8:][:8])
			clear(b[at["dynamic"]+7*16+8:][:8])
		}},
		{"DT_NEEDED", Corrupt, "needed libraries", word("dynamic", 8, 1<<20)},
		{"dynamic table without end", Corrupt, "an end of", word("dynamic", 8*16, uint64(elf.DT_DEBUG))},
		{"section at another offset", Inconsistent, "", word("sections", 64+24, 0x60)},
		{"section past the end", Truncated, "", word("sections", 64+32, 1<<20)},
		{"two symbol tables", Corrupt, "one dynamic symbol table", word("sections", 2*64+4, uint64(elf.SHT_DYNSYM))},
		{"section without a name", Corrupt, "a name for each section", word("sections", 3*64, 9999|uint64(elf.SHT_RELA)<<32)},
		{"symbol without a name", Corrupt, "a name for each symbol", word("dynsym", 24, 0xffffff)},
		{"fingerprint of another size", Corrupt, "of 8 bytes", word("dynsym", 24+16, 16)},
		{"fingerprint outside the file", Corrupt, "inside the file", word("dynsym", 24+8, 1<<40)},
		{"build information without mark", Corrupt, "its mark", word("buildinfo", 0, 0)},
		{"build information of Go 1.17", TooOld, "", func(b []byte, at map[string]uint64) { b[at["buildinfo"]+15] = 0 }},
		{"build information cut", Corrupt, "a Go version", func(b []byte, at map[string]uint64) { b[at["buildinfo"]+32] = 0xff }},
		{"one fingerprint twice", Corrupt, "one fingerprint", func(b []byte, at map[string]uint64) {
			copy(b[at["dynsym"]+48:][:4], b[at["dynsym"]+24:][:4])
		}},
		{"relocation against no symbol", Corrupt, "known symbols", word("rela", 8, 99<<32|uint64(elf.R_X86_64_64))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCraft()
			c.edit = tc.edit
			f, err := readBytes(c.bytes())
			fe := requireKind(t, tc.want, err)
			assert.Nil(t, f)
			assert.Contains(t, fe.Wanted, tc.wanted, "another check spoke first")
		})
	}
}

// A file of some megabytes must not cost gigabytes, nor the work of one header
// for each of the others.
func TestReadRefusesWhatCostsMuch(t *testing.T) {
	le, small := binary.LittleEndian, newCraft().bytes()
	table := func(place, count int, header []byte, n int) []byte { // puts a table with more headers behind the file
		size, file := len(header), bytes.Clone(small)
		old := le.Uint64(file[place:])
		le.PutUint64(file[place:], uint64(len(file)))
		headers := bytes.Clone(file[old:][:size*int(le.Uint16(file[count:]))])
		le.PutUint16(file[count:], uint16(n))
		file = append(file, headers...)
		for i := len(headers) / size; i < n; i++ {
			if place == 32 {
				le.PutUint64(header[16:], uint64(i)<<32)
			}
			file = append(file, header...)
		}
		return file
	}
	load := bytes.Clone(small[64:][:56])
	le.PutUint64(load[32:], 1)
	le.PutUint64(load[40:], 1)
	long := bytes.Clone(load)
	le.PutUint64(long[32:], 1<<20)
	le.PutUint64(long[40:], 1<<20)
	for _, tc := range []struct {
		name, wanted string
		file         []byte
	}{
		{"segments", "at most 64 loaded", table(32, 56, load, 60000)},
		{"segments of the same bytes", "of bytes of its own", append(table(32, 56, long, 60), make([]byte, 1<<20)...)},
		{"sections", "at most 4096 sections", table(40, 60, make([]byte, 64), 60000)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readBytes(tc.file)
			assert.Contains(t, requireKind(t, Corrupt, err).Wanted, tc.wanted)
		})
	}
	_, err := readBytes(table(32, 56, load, 60))
	assert.NoError(t, err, "few segments, with bytes of others")
}

func TestReadTruncatedEverywhere(t *testing.T) {
	whole := newCraft().bytes()
	for n := range len(whole) {
		_, err := readBytes(whole[:n])
		want := Truncated
		if n < elf.EI_NIDENT {
			want = NotELF
		}
		requireKind(t, want, err)
	}
	_, err := readBytes(whole)
	require.NoError(t, err)
}

func TestReadShorterThanItsSize(t *testing.T) {
	whole := newCraft().bytes()
	_, err := Read(bytes.NewReader(whole[:100]), int64(len(whole)))
	requireKind(t, Truncated, err)
}

type brokenReader struct{ err error }

func (r brokenReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }

func TestReadKeepsTheReadersError(t *testing.T) {
	broken := errors.New("bad disk")
	_, err := Read(brokenReader{broken}, 1000)
	requireKind(t, Unreadable, err)
	require.ErrorIs(t, err, broken)
	_, err = Read(brokenReader{io.EOF}, -5)
	requireKind(t, NotELF, err)
}

func TestManifestFaults(t *testing.T) {
	for _, tc := range []struct {
		name, found string
		bend        func(*craft)
	}{
		{"no relocation", "at 0x0", func(c *craft) { c.reloc, c.base = "none", 0 }},
		{"text past the segment", "65535 bytes", func(c *craft) {
			c.edit = func(b []byte, at map[string]uint64) { copy(b[at["header"]+8:], "\xff\xff") }
		}},
		{"interface", "two pointers", func(c *craft) { c.reloc = "interface" }},
		{"too long", "65537", func(c *craft) { c.manifest = strings.Repeat("x", maxManifest+1) }},
		{"bytes, not string", "24 bytes", func(c *craft) {
			c.edit = func(b []byte, at map[string]uint64) { b[at["dynsym"]+3*24+16] = 24 }
		}},
		{"function", "STT_FUNC", func(c *craft) {
			c.edit = func(b []byte, at map[string]uint64) { b[at["dynsym"]+3*24+4] = 0x12 }
		}},
		{"text outside", "12 bytes at", func(c *craft) {
			c.reloc = "inplace"
			c.edit = func(b []byte, at map[string]uint64) { b[at["header"]+4] = 1 }
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCraft()
			tc.bend(&c)
			f, err := readBytes(c.bytes())
			require.NoError(t, err, "the file itself is sound")
			assert.True(t, f.HasManifest)
			assert.Empty(t, f.Manifest)
			_, err = f.ManifestText()
			assert.Contains(t, requireKind(t, BadManifest, err).Found, tc.found)
			assert.Equal(t, []string{"DriverManifest", "NewDriver"}, f.Symbols)
		})
	}
}

// A plugin whose moduledata is laid out in an unknown way still has a path.
func TestPluginPathWithoutModuledata(t *testing.T) {
	c := newCraft()
	c.edit = func(b []byte, at map[string]uint64) { b[at["moduledata"]+13*8] = 9 }
	f, err := readBytes(c.bytes())
	require.NoError(t, err)
	assert.Equal(t, "example.com/dr.v2", f.PluginPath)

	none := map[string]Fingerprint{"runtime": {}, "other/a": {}}
	assert.Empty(t, guessPath("a/b", none))
	assert.Equal(t, "plugin/unnamed-1", guessPath("command-line-arguments", map[string]Fingerprint{"plugin/unnamed-1": {}}))
	assert.Equal(t, "id/a/b", guessPath("a/b", map[string]Fingerprint{"id/a/b": {}, "id/c": {}}))
	assert.Empty(t, guessPath("b", map[string]Fingerprint{"id/b": {}, "x/b": {}}), "two candidates are none")
}

func TestEscapePath(t *testing.T) {
	for path, want := range map[string]string{
		"main": "main", "example.com/a": "example.com/a", "example.com/a.v2": "example.com/a%2ev2",
		"gopkg.in/yaml.v3/x": "gopkg.in/yaml.v3/x", "a b/é%": "a%20b/%c3%a9%25", `q"`: "q%22", "a.b": "a%2eb",
	} {
		assert.Equal(t, want, escapePath(path))
		assert.Equal(t, path, unescapePath(want))
	}
	assert.Equal(t, "50%", unescapePath("50%"))
	assert.Equal(t, "%zz", unescapePath("%zz"))
}

func TestInfoStringStopsAtTheEnd(t *testing.T) {
	text, rest, ok := infoString([]byte("\x02abc"), 2)
	assert.Equal(t, []any{"ab", "c", true}, []any{text, string(rest), ok})
	for _, bad := range []string{"", "\x80", "\x03ab", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		_, _, ok := infoString([]byte(bad), 1<<40)
		assert.False(t, ok, "%q", bad)
	}
	_, _, ok = infoString([]byte("\x03abc"), 2)
	assert.False(t, ok, "over the limit")
}

// Many symbols may point into one long text; what is kept of them is bounded.
func TestNameBudget(t *testing.T) {
	d := &dynamic{strings: make([]byte, 10)}
	budget := d.nameBudget()
	require.NoError(t, budget("abcd"))
	require.NoError(t, budget("abcd"))
	requireKind(t, Corrupt, budget(""))
}

func TestUndefinedSymbolsAreNotExported(t *testing.T) {
	c := newCraft()
	c.edit = func(b []byte, at map[string]uint64) { b[at["dynsym"]+4*24+6] = 0 }
	f, err := readBytes(c.bytes())
	require.NoError(t, err)
	assert.Equal(t, []string{"DriverManifest"}, f.Symbols)
}

func TestIsExported(t *testing.T) {
	for name, want := range map[string]bool{
		"NewDriver": true, "Über_1": true, "T2": true, "": false, "newDriver": false, "T.Method": false,
		"(*T).Method": false, "F[go.shape.int]": false, ".inittask": false, "F·f": false, "F\xff": false, "_X": false,
	} {
		assert.Equal(t, want, isExported(name), "%q", name)
	}
}

// The CLI keeps the facts of a host as a file; nothing may be lost on the way.
func TestFactsSurviveJSON(t *testing.T) {
	c := newCraft()
	c.reloc = "interface"
	f, err := readBytes(c.bytes())
	require.NoError(t, err)
	f.Modules = append(f.Modules, Module{Path: "a", Version: "v1", Replace: &Module{Path: "b", Version: "v2", Sum: "h1:"}})
	text, err := json.Marshal(f)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"runtime":"667072756e6d6169"`)
	var back Facts
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, f, &back)

	var print Fingerprint
	require.Error(t, print.UnmarshalText([]byte("667072756e6d61")))
	require.Error(t, print.UnmarshalText([]byte("zz7072756e6d6169")))
	assert.Zero(t, print)
}

func TestOldSpellingOfFingerprints(t *testing.T) {
	c := newCraft()
	c.edit = func(b []byte, at map[string]uint64) {
		for i := bytes.Index(b, []byte(printPrefix)); i >= 0; i = bytes.Index(b, []byte(printPrefix)) {
			copy(b[i:], oldPrintPrefix)
		}
		b[at["shstrtab"]+uint64(bytes.Index(b[at["shstrtab"]:], []byte(".go.buildinfo")))] = 'x'
	}
	f, err := readBytes(c.bytes())
	require.NoError(t, err)
	assert.Empty(t, f.GoVersion)
	assert.Equal(t, "plugin", f.BuildMode)
	assert.Equal(t, "example.com/dr.v2", f.PluginPath)

	host, err := readBytes(newCraft().bytes())
	require.NoError(t, err)
	host.Packages["runtime"] = Fingerprint{1}
	misfits := Fit(f, host)
	require.Len(t, misfits, 1)
	assert.Equal(t, KindGoVersion, misfits[0].Kind)
	assert.Equal(t, "go1.19 or older", misfits[0].Driver)

	c.edit = func(b []byte, at map[string]uint64) {
		b[at["shstrtab"]+uint64(bytes.Index(b[at["shstrtab"]:], []byte(".go.buildinfo")))] = 'x'
	}
	_, err = readBytes(c.bytes())
	requireKind(t, Corrupt, err)
}
