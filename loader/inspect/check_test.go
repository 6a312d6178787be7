package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkFile looks at a shared library of any sort as at a driver file. It
// reports false for what is none of a machine whose tables are read.
func checkFile(content []byte) (checked bool, err error) {
	img, err := openImage(bytes.NewReader(content), int64(len(content)))
	if err != nil || !img.hasFullReader() || img.dynamic == nil {
		return false, nil
	}
	d, err := img.openDynamic()
	if err != nil || d == nil {
		return false, nil
	}
	return true, d.check()
}

// What other linkers made of other languages, and what loads every day, is never
// refused.
func TestCheckTakesSystemLibraries(t *testing.T) {
	checked := 0
	for _, dir := range []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/aarch64-linux-gnu/lib"} {
		files, err := filepath.Glob(dir + "/*.so*")
		require.NoError(t, err)
		for i := range min(len(files), 150) { // some from everywhere in a long list
			path := files[i*len(files)/min(len(files), 150)]
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() || info.Size() > 8<<20 {
				continue
			}
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			ok, err := checkFile(content)
			assert.NoError(t, err, path)
			if ok {
				checked++
			}
		}
	}
	if checked == 0 {
		t.Skip("no shared libraries where they are looked for")
	}
	t.Logf("%d libraries", checked)
}

// everything is C that makes a linker write every table that is checked.
const everything = `#include <stdio.h>
static __thread int mine = 4;
__thread int ours = 5;
static int local = 1;
int *pointer = &local;
extern int other(void);
int (*function)(void) = other;
__attribute__((constructor)) static void start(void) { local++; }
__attribute__((destructor)) static void stop(void) { local--; }
int one(void) { return puts("") + mine + ours + other(); }
int two(void) { return *pointer + one(); }
`

// library makes a shared library of everything, with flags for the linker.
func libraryOfEverything(t *testing.T, flags ...string) []byte {
	dir := t.TempDir()
	script := filepath.Join(dir, "map")
	require.NoError(t, os.WriteFile(script, []byte("ONE { global: *; };\nTWO { global: two; } ONE;\n"), 0o600))
	path := compile(t, dir, "libkeywaycheck.so", everything, append([]string{"-Wl,--hash-style=both", "-Wl,--version-script=" + script}, flags...)...)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

func TestCheckTakesWhatLinkersMake(t *testing.T) {
	needGCC(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the flags are those for amd64")
	}
	for _, flags := range [][]string{nil, {"-Wl,-z,pack-relative-relocs"}, {"-Wl,-z,now"}, {"-Wl,-z,norelro"}, {"-fuse-ld=gold"}, {"-Wl,-Bsymbolic"},
		{"-Wl,-init=two"}, {"-O2", "-Wl,-z,noseparate-code"}, {"-mtls-dialect=gnu2"}, {"-s"}} {
		if slices.Contains(flags, "-fuse-ld=gold") {
			if _, err := os.Stat("/usr/bin/ld.gold"); err != nil {
				continue
			}
		}
		ok, err := checkFile(libraryOfEverything(t, flags...))
		assert.True(t, ok, "%q", flags)
		assert.NoError(t, err, "%q", flags)
	}
}

// What the linker at hand does not write, others do.
func TestCheckTakesWhatOtherLinkersMake(t *testing.T) {
	needGCC(t)
	plain := libraryOfEverything(t)
	for _, tc := range []struct {
		name string
		bend func(l layout)
	}{
		{"segment of program headers", func(l layout) {
			l.header(elf.PT_GNU_STACK, 0, uint64(elf.PT_PHDR)|4<<32)
			l.header(elf.PT_GNU_STACK, 16, 64)
		}},
		{"calls at the end of the relocations", func(l layout) {
			both := l.section(".rela.dyn").Size + l.section(".rela.plt").Size
			require.Equal(t, l.address(".rela.dyn")+both, l.address(".rela.plt")+l.section(".rela.plt").Size, "something between the two")
			l.sectionHeader(".rela.dyn", 32, both)
			l.tag(elf.DT_RELASZ, 8, both)
		}},
		{"relative relocations in no order", func(l layout) {
			one, two := l.at(".rela.dyn", 0)[:relaSize], l.at(".rela.dyn", relaSize)[:relaSize]
			first := slices.Clone(one)
			copy(one, two)
			copy(two, first)
		}},
		{"versions of a library that another one needs", func(l layout) { l.half(".gnu.version_r", 4, 1) }},
		{"size of thread-local variables rounded up", func(l layout) { l.header(elf.PT_TLS, 48, 64); l.header(elf.PT_TLS, 40, 64) }},
	} {
		file := slices.Clone(plain)
		parsed, err := elf.NewFile(bytes.NewReader(plain))
		require.NoError(t, err)
		tc.bend(layout{t, file, parsed})
		ok, err := checkFile(file)
		assert.True(t, ok, tc.name)
		assert.NoError(t, err, tc.name)
	}
}

// Addresses that lead beyond what they begin at are everyday C.
func TestCheckTakesAddends(t *testing.T) {
	path := compile(t, t.TempDir(), "libkeywayaddends.so", `
extern char big[], unsized[];
char *far = big + 8192, *before = big - 65, *within = unsized + 32;
char base[64];
char *letters = base - 'A';
__asm__(".data\n.globl unsized\nunsized: .zero 64\n.text");
`)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	ok, err := checkFile(content)
	assert.True(t, ok)
	assert.NoError(t, err)
}

// Each entry bends one field of a sound library, and is found by the check that
// is for it.
func TestCheckRefuses(t *testing.T) {
	needGCC(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the relocations are those of amd64")
	}
	sound := libraryOfEverything(t, "-Wl,-z,pack-relative-relocs")
	plain := libraryOfEverything(t)
	const tag, bucket = 0, 8
	for _, tc := range []struct {
		name, wanted string
		file         []byte
		bend         func(l layout)
	}{
		{"alignment", "like its offset", sound, func(l layout) { l.header(elf.PT_LOAD, 48, 3<<12) }},
		{"unreadable", "can be read", sound, func(l layout) { l.flags(elf.PT_LOAD, elf.PF_W) }},
		{"code without leave to run", `section ".plt"`, sound, func(l layout) { l.sectionFlags(".rodata", elf.SHF_EXECINSTR); l.sectionFlags(".plt", elf.SHF_WRITE) }},
		{"data that can only be run", "a loaded segment with section", sound, func(l layout) { l.mapping(".eh_frame", elf.PF_X) }},
		{"program headers elsewhere", "program headers where", sound, func(l layout) {
			l.header(elf.PT_GNU_STACK, 0, uint64(elf.PT_PHDR)|4<<32)
			l.header(elf.PT_GNU_STACK, 16, 64+56)
		}},
		{"program headers nowhere", "program headers where", sound, func(l layout) {
			l.header(elf.PT_GNU_STACK, 0, uint64(elf.PT_PHDR)|4<<32)
			l.header(elf.PT_GNU_STACK, 16, 1<<40)
		}},
		{"program headers twice", "one segment of program headers", sound, func(l layout) {
			for _, kind := range []elf.ProgType{elf.PT_GNU_STACK, elf.PT_GNU_EH_FRAME} {
				l.header(kind, 0, uint64(elf.PT_PHDR)|4<<32)
				l.header(kind, 16, 64)
			}
		}},
		{"dynamic table that is written", "as its flags say", sound, func(l layout) { l.mapping(".dynamic", elf.PF_R) }},
		{"TLS outside", "thread-local segment inside", sound, func(l layout) { l.header(elf.PT_TLS, 16, 1<<30) }},
		{"TLS without alignment", "thread-local segment inside", sound, func(l layout) { l.header(elf.PT_TLS, 48, 0) }},
		{"TLS with the alignment of more than a page", "thread-local segment inside", sound, func(l layout) { l.header(elf.PT_TLS, 48, 1<<40) }},
		{"TLS without bounds", "thread-local segment inside", sound, func(l layout) { l.header(elf.PT_TLS, 40, 1<<40) }},
		{"TLS of more than its sections", "of the sections in it", sound, func(l layout) { l.header(elf.PT_TLS, 40, 1<<20) }},
		{"TLS elsewhere", "thread-local segment with", sound, func(l layout) { l.header(elf.PT_TLS, 16, l.address(".init_array")) }},
		{"protected code", "writable segment to protect", sound, func(l layout) { l.header(elf.PT_GNU_RELRO, 16, 0) }},
		{"protected data", "outside of what is protected", sound, func(l layout) { l.header(elf.PT_GNU_RELRO, 40, 0x3000) }},
		{"notes outside", "notes inside", sound, func(l layout) { l.header(elf.PT_NOTE, 16, 1<<40) }},
		{"segment cut short", "a loaded segment with section", sound, func(l layout) { l.lastLoad(40, l.lastFilesz()) }},
		{"no DT_JMPREL", "DT_JMPREL", plain, func(l layout) { l.tag(elf.DT_JMPREL, tag, 0x6ffffef0) }},
		{"no DT_INIT_ARRAY", "DT_INIT_ARRAY", sound, func(l layout) { l.tag(elf.DT_INIT_ARRAY, tag, 0x6ffffef0) }},
		{"no DT_PLTREL", "DT_PLTREL", sound, func(l layout) { l.tag(elf.DT_PLTREL, tag, 0x6ffffef0) }},
		{"no DT_VERSYM", "DT_VERSYM", sound, func(l layout) { l.tag(elf.DT_VERSYM, tag, 0x6ffffef0) }},
		{"DT_PLTREL", "with addends", sound, func(l layout) { l.tag(elf.DT_PLTREL, 8, 17) }},
		{"DT_PLTREL of 0", "with addends", sound, func(l layout) { l.tag(elf.DT_PLTREL, 8, 0) }},
		{"DT_RELRENT of 0", "packed relocations of 8", sound, func(l layout) { l.tag(dtRelrEnt, 8, 0) }},
		{"DT_RELRENT", "packed relocations of 8", sound, func(l layout) { l.tag(dtRelrEnt, 8, 4) }},
		{"DT_SONAME", "a text for DT_SONAME", sound, func(l layout) { l.tag(elf.DT_SONAME, 8, 1<<20) }},
		{"end of the names", "ends with a zero byte", sound, func(l layout) { l.byte(".dynstr", -1, 'x') }},
		{"DT_INIT_ARRAYSZ", "init_array at", sound, func(l layout) { l.tag(elf.DT_INIT_ARRAYSZ, 8, 1<<20) }},
		{"DT_FINI_ARRAYSZ without bounds", "bytes of addresses for DT_FINI_ARRAYSZ", sound, func(l layout) { l.tag(elf.DT_FINI_ARRAYSZ, 8, 1<<40) }},
		{"DT_INIT", "a function for DT_INIT", sound, func(l layout) { l.tag(elf.DT_INIT, 8, 0x10) }},
		{"DT_FINI in a function", "a function for DT_FINI", sound, func(l layout) { l.tag(elf.DT_FINI, 8, l.tagValue(elf.DT_INIT)+3) }},
		{"an entry of DT_INIT_ARRAY", "functions in the list of DT_INIT_ARRAY", sound, func(l layout) { l.word(".init_array", 0, 0x10) }},
		{"filter of the hash table", "a hash table of symbols", sound, func(l layout) { l.half(".gnu.hash", 8, 3) }},
		{"bucket of the hash table", "known symbols in the hash table", sound, func(l layout) { l.half(".gnu.hash", 16+8*int(l.read32(".gnu.hash", 8)), 1<<20) }},
		{"buckets without end", "inside a loaded segment", sound, func(l layout) { l.half(".gnu.hash", 0, 1<<30) }},
		{"chain without end", "end of the hash table's last chain", sound, func(l layout) { l.byte(".gnu.hash", -4, 0) }},
		{"size of the old hash table", "a hash table of", sound, func(l layout) { l.half(".hash", 4, 1) }},
		{"circle in the old hash table", "each known symbol once", sound, func(l layout) { l.half(".hash", bucket, 1); l.half(".hash", bucket+4*int(l.read32(".hash", 0))+4, 1) }},
		{"library of versions that are not counted", "a library that is needed", sound, func(l layout) {
			l.half(".gnu.version_r", 4, 1)
			clear(l.at(".gnu.version_r", 2)[:2])
		}},
		{"library of weak versions", "a library that is needed", sound, func(l layout) {
			l.half(".gnu.version_r", 4, 1)
			for aux := 16; ; aux += int(l.read32(".gnu.version_r", aux+12)) {
				l.at(".gnu.version_r", aux)[4] |= weakVersion
				if l.read32(".gnu.version_r", aux+12) == 0 {
					return
				}
			}
		}},
		{"needed versions outside", "symbol versions inside", sound, func(l layout) { l.half(".gnu.version_r", 8, 1<<30) }},
		{"more needed versions", "records in DT_VERNEED", sound, func(l layout) { l.tag(elf.DT_VERNEEDNUM, 8, 9) }},
		{"name of a needed version", "names of symbol versions", sound, func(l layout) { l.half(".gnu.version_r", 16+8, 1<<30) }},
		{"name of a defined version", "names of symbol versions", sound, func(l layout) { l.half(".gnu.version_d", 20, 1<<30) }},
		{"defined version outside", "symbol versions inside", sound, func(l layout) { l.half(".gnu.version_d", 12, 1<<30) }},
		{"version of a symbol", "versions up to", sound, func(l layout) { l.byte(".gnu.version", 3, 0x7f) }},
		{"name of a symbol", "a name for each symbol", sound, func(l layout) { l.half(".dynsym", 24, 1<<20) }},
		{"address of a variable", "symbols inside", sound, func(l layout) { l.word(".dynsym", l.symbol("pointer")+8, 1<<40) }},
		{"address of a function", "symbols inside", sound, func(l layout) { l.word(".dynsym", l.symbol("one")+8, 0x10) }},
		{"address of a thread-local variable", "symbols inside", sound, func(l layout) { l.word(".dynsym", l.symbol("ours")+8, 0x100) }},
		{"relocation of code", "writable places", plain, func(l layout) { l.word(".rela.dyn", 0, 0x1000) }},
		{"relocation outside", "writable places", plain, func(l layout) { l.last(".rela.dyn", 0, 1<<40) }},
		{"relocation of the dynamic table", "writable places", plain, func(l layout) { l.last(".rela.dyn", 0, l.address(".dynamic")+8) }},
		{"two relocations of one place", "each of one of its own", plain, func(l layout) { l.word(".rela.dyn", 24, l.read64(".rela.dyn", 0)+4) }},
		{"unknown relocation", "can follow", plain, func(l layout) { l.word(".rela.dyn", 8, 99); l.tag(elf.DT_RELACOUNT, 8, 0) }},
		{"copy of a variable", "can follow", plain, func(l layout) { l.last(".rela.dyn", 8, 1<<32|uint64(elf.R_X86_64_COPY)) }},
		{"relative address outside", "can follow", plain, func(l layout) { l.word(".rela.dyn", 16, 1<<40) }},
		{"call to ask for data", "can follow", plain, func(l layout) { l.last(".rela.dyn", 8, uint64(elf.R_X86_64_IRELATIVE)) }},
		{"symbol that is not there", "can follow", plain, func(l layout) { l.last(".rela.dyn", 8, 999<<32|uint64(elf.R_X86_64_64)) }},
		{"address far from a variable of another file", "can follow", plain, func(l layout) { l.last(".rela.dyn", 8, 1<<32|uint64(elf.R_X86_64_64)); l.last(".rela.dyn", 16, 1<<31) }},
		{"address far before a variable of another file", "can follow", plain, func(l layout) {
			l.last(".rela.dyn", 8, 1<<32|uint64(elf.R_X86_64_64))
			l.last(".rela.dyn", 16, ^uint64(1<<31))
		}},
		{"address far from a variable of its own", "can follow", plain, func(l layout) {
			l.last(".rela.dyn", 8, uint64(l.symbol("pointer")/symSize)<<32|uint64(elf.R_X86_64_64))
			l.last(".rela.dyn", 16, 1<<30)
		}},
		{"thread-local address of a function", "can follow", plain, func(l layout) { l.last(".rela.dyn", 8, 1<<32|uint64(elf.R_X86_64_TPOFF64)) }},
		{"slot elsewhere", "can follow", plain, func(l layout) { l.word(".rela.plt", 0, l.address(".data")) }},
		{"slot with an addend", "can follow", plain, func(l layout) { l.word(".rela.plt", 16, 8) }},
		{"two slots for a function", "can follow", plain, func(l layout) { l.word(".rela.plt", 24+8, l.read64(".rela.plt", 8)) }},
		{"DT_RELACOUNT", "relative relocations first", plain, func(l layout) { l.tag(elf.DT_RELACOUNT, 8, l.tagValue(elf.DT_RELACOUNT)+1) }},
		{"DT_PLTRELSZ", "relocations of calls at", plain, func(l layout) { l.tag(elf.DT_PLTRELSZ, 8, 1<<20) }},
		{"DT_JMPREL among the others", "relocations of calls at", plain, func(l layout) { l.tag(elf.DT_JMPREL, 8, l.address(".rela.dyn")+24) }},
		{"DT_JMPREL among the others without a section", "at the end of the others", plain, func(l layout) {
			l.sectionHeader(".rela.plt", 32, 0)
			l.tag(elf.DT_JMPREL, 8, l.address(".rela.dyn")+24)
		}},
		{"call without a relocation", "calls that write", plain, func(l layout) { l.word(".rela.plt", 8, 0) }},
		{"packed relocation of code", "packed relocations of writable", sound, func(l layout) { l.word(".relr.dyn", 0, 0x1000) }},
		{"packed relocations without a start", "packed relocations of writable", sound, func(l layout) { l.word(".relr.dyn", 0, 3) }},
		{"packed relocations beyond the end", "packed relocations of writable", sound, func(l layout) { l.word(".relr.dyn", 8, 1<<63|1) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := slices.Clone(tc.file)
			parsed, err := elf.NewFile(bytes.NewReader(tc.file))
			require.NoError(t, err)
			tc.bend(layout{t, file, parsed})
			ok, err := checkFile(file)
			require.True(t, ok, "the file is not read")
			assert.Contains(t, requireKindIn(t, err, Corrupt, Inconsistent).Wanted, tc.wanted, "another check spoke first")
		})
	}
}

// requireKindIn asserts that err is a *FormatError of one of the kinds.
func requireKindIn(t *testing.T, err error, kinds ...FormatKind) *FormatError {
	t.Helper()
	var fe *FormatError
	require.ErrorAs(t, err, &fe)
	require.Contains(t, kinds, fe.Kind)
	require.NotEmpty(t, fe.Found)
	return fe
}

// layout is a file to bend, and what it was.
type layout struct {
	t      *testing.T
	bytes  []byte
	parsed *elf.File
}

func (l layout) section(name string) *elf.Section {
	s := l.parsed.Section(name)
	require.NotNil(l.t, s, name)
	return s
}

// at returns the bytes of a section from an offset on, from its end if that is
// negative.
func (l layout) at(name string, off int) []byte {
	s := l.section(name)
	if off < 0 {
		off += int(s.Size)
	}
	return l.bytes[int(s.Offset)+off:]
}

func (l layout) address(name string) uint64 { return l.section(name).Addr }
func (l layout) word(name string, off int, v uint64) {
	binary.LittleEndian.PutUint64(l.at(name, off), v)
}
func (l layout) half(name string, off int, v uint32) {
	binary.LittleEndian.PutUint32(l.at(name, off), v)
}
func (l layout) byte(name string, off int, v byte) { l.at(name, off)[0] = v }
func (l layout) read64(name string, off int) uint64 {
	return binary.LittleEndian.Uint64(l.at(name, off))
}
func (l layout) read32(name string, off int) uint32 {
	return binary.LittleEndian.Uint32(l.at(name, off))
}
func (l layout) last(name string, off int, v uint64) { l.word(name, off-relaSize, v) }
func (l layout) tagValue(tag elf.DynTag) uint64 {
	return binary.LittleEndian.Uint64(l.dynamic(tag)[8:])
}
func (l layout) tag(tag elf.DynTag, off int, v uint64) {
	binary.LittleEndian.PutUint64(l.dynamic(tag)[off:], v)
}
func (l layout) flags(k elf.ProgType, v elf.ProgFlag) {
	binary.LittleEndian.PutUint32(l.program(k)[4:], uint32(v))
}
func (l layout) header(k elf.ProgType, off int, v uint64) {
	binary.LittleEndian.PutUint64(l.program(k)[off:], v)
}

// dynamic returns the entry of a tag.
func (l layout) dynamic(tag elf.DynTag) []byte {
	for entry := l.at(".dynamic", 0); ; entry = entry[dynSize:] {
		switch elf.DynTag(binary.LittleEndian.Uint64(entry)) {
		case tag:
			return entry
		case elf.DT_NULL:
			require.Fail(l.t, "no "+tag.String())
		}
	}
}

// program returns the first program header of a type.
func (l layout) program(kind elf.ProgType) []byte {
	i := slices.IndexFunc(l.parsed.Progs, func(p *elf.Prog) bool { return p.Type == kind })
	require.NotEqual(l.t, -1, i, kind)
	return l.bytes[64+i*56:]
}

// mapping changes the flags of the segment that a section is loaded with.
func (l layout) mapping(section string, flags elf.ProgFlag) {
	addr := l.address(section)
	i := slices.IndexFunc(l.parsed.Progs, func(p *elf.Prog) bool {
		return p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr < p.Vaddr+p.Memsz
	})
	binary.LittleEndian.PutUint32(l.bytes[64+i*56+4:], uint32(flags))
}

// lastLoad changes the last segment that is loaded.
func (l layout) lastLoad(off int, v uint64) {
	for i, p := range slices.Backward(l.parsed.Progs) {
		if p.Type == elf.PT_LOAD {
			binary.LittleEndian.PutUint64(l.bytes[64+i*56+off:], v)
			return
		}
	}
}

// lastFilesz is how much of the last loaded segment is in the file.
func (l layout) lastFilesz() uint64 {
	size := uint64(0)
	for _, p := range l.parsed.Progs {
		if p.Type == elf.PT_LOAD {
			size = p.Filesz
		}
	}
	return size
}

// sectionFlags changes the flags of a section, which is loaded.
func (l layout) sectionFlags(name string, flags elf.SectionFlag) {
	l.sectionHeader(name, 8, uint64(flags|elf.SHF_ALLOC))
}

func (l layout) sectionHeader(name string, off int, v uint64) {
	i := slices.IndexFunc(l.parsed.Sections, func(s *elf.Section) bool { return s.Name == name })
	require.NotEqual(l.t, -1, i, name)
	table := binary.LittleEndian.Uint64(l.bytes[40:])
	binary.LittleEndian.PutUint64(l.bytes[int(table)+i*64+off:], v)
}

// symbol returns where the record of a dynamic symbol stands in its table.
func (l layout) symbol(name string) int {
	syms, err := l.parsed.DynamicSymbols()
	require.NoError(l.t, err)
	i := slices.IndexFunc(syms, func(s elf.Symbol) bool { return s.Name == name })
	require.NotEqual(l.t, -1, i, name)
	return (i + 1) * symSize
}
