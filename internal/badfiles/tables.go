package badfiles

import (
	"debug/elf"
	"fmt"
)

// sectionTable bends one field of a section header.
func sectionTable(l *layout) []Damage {
	g := group{family: "section table"}
	for _, s := range l.named(".dynsym", ".dynstr", ".rela.dyn") {
		g.puts(
			edit{s.name + " at another address", fmt.Sprintf("section %q at %#x", s.name, s.addr+8), s.at + 16, 8, s.addr + 8, false},
			edit{s.name + " of size 0", "", s.at + 32, 8, 0, false},
			edit{s.name + " without bytes in the file", "", s.at + 4, 4, uint64(elf.SHT_NOBITS), false},
		)
	}
	for _, s := range l.named(".dynsym", ".text", ".shstrtab") {
		g.put(s.name+" without a name", "none for section", s.at, 4, 0xffffff)
	}
	if s, ok := l.section(".dynsym"); ok {
		g.put("no symbol table", "one without the other", s.at+4, 4, uint64(elf.SHT_PROGBITS))
		g.put("symbols with names of no section", "section 65535", s.at+40, 4, 0xffff)
		g.put("symbols with names among the symbols", "section ", s.at+40, 4, 1)
	}
	if s, ok := l.section(".go.buildinfo"); ok {
		g.put("two symbol tables", "two", s.at+4, 4, uint64(elf.SHT_DYNSYM))
		g.put("build information of size 0", "0 bytes", s.at+32, 8, 0)
	}
	return g.all
}

// outOfRange lets sections lie outside of the file, or be larger than anything.
func outOfRange(l *layout) []Damage {
	g := group{family: "section out of range"}
	for _, s := range l.named(".dynsym", ".dynstr", ".rela.dyn", ".rela.plt", ".dynamic", ".gnu.hash", ".gnu.version_r", ".text", ".rodata", ".go.buildinfo", ".shstrtab") {
		g.put(s.name+" behind the end", "a file of", s.at+24, 8, l.size())
		g.put(s.name+" that wraps", "offset 0xfffffffffffffff0", s.at+24, 8, ^uint64(0)-15)
	}
	g.family = "enormous section"
	for _, s := range l.named(".dynsym", ".dynstr", ".rela.dyn", ".rela.plt", ".text", ".go.buildinfo", ".go.module", ".shstrtab") {
		for _, bits := range []int{40, 63} {
			g.put(fmt.Sprintf("%s of 2^%d bytes", s.name, bits), "a file of", s.at+32, 8, 1<<bits)
		}
		g.put(s.name+" one byte too long", "a file of", s.at+32, 8, l.size()-s.off+1)
	}
	return g.all
}

// overlapping lays a section over another one.
func overlapping(l *layout) []Damage {
	g := group{family: "overlapping sections"}
	for _, s := range l.named(".dynsym", ".dynstr", ".rela.dyn", ".go.buildinfo", ".shstrtab") {
		for _, over := range l.named(".dynsym", ".dynstr", ".rela.dyn", ".go.module") {
			if s.name != over.name && over.off+s.sz <= l.size() {
				g.put(s.name+" over "+over.name, "", s.at+24, 8, over.off)
			}
		}
	}
	return g.all
}

// tag is a value for an entry of the dynamic table.
type tag struct {
	tag         elf.DynTag
	name, found string
	value       uint64
	open        bool
}

func (g *group) tags(l *layout, tags ...tag) {
	for _, t := range tags {
		if at, ok := l.tags[t.tag]; ok {
			g.puts(edit{t.tag.String() + " " + t.name, t.found, at + 8, 8, t.value, t.open})
		}
	}
}

// dynamicTable bends the table that tells the dynamic linker where all is.
func dynamicTable(l *layout) []Damage {
	g := group{family: "dynamic table"}
	for _, table := range []struct {
		tag     elf.DynTag
		section string
	}{{elf.DT_SYMTAB, ".dynsym"}, {elf.DT_STRTAB, ".dynstr"}, {elf.DT_RELA, ".rela.dyn"}} {
		t, found := table.tag, fmt.Sprintf("section %q", table.section)
		g.tags(l, tag{t, "outside", found, outside, false}, tag{t, "at 0", found, 0, false})
		if at, ok := l.tags[t]; ok {
			g.tags(l, tag{t, "8 bytes further", found, l.u64(at+8) + 8, false})
			g.put(t.String()+" missing", found, at, 8, uint64(elf.DT_DEBUG))
		}
	}
	g.tags(l,
		tag{elf.DT_NEEDED, "outside of the names", "0x10000000000", outside, false},
		tag{elf.DT_STRSZ, "of 1", "section \".dynstr\"", 1, false},
		tag{elf.DT_STRSZ, "of 2⁴⁰", "section \".dynstr\"", 1 << 40, false},
		tag{elf.DT_SYMENT, "of 16", "of 16", 16, false},
		tag{elf.DT_SYMENT, "of 0", "of 0", 0, false},
		tag{elf.DT_RELASZ, "of 24", "section \".rela.dyn\"", relaSize, false},
		tag{elf.DT_RELASZ, "of 2⁴⁰", "section \".rela.dyn\"", 1 << 40, false},
		tag{elf.DT_RELASZ, "of 2⁶⁴-1", "section \".rela.dyn\"", ^uint64(0), false},
		tag{elf.DT_RELAENT, "of 8", "of 8", 8, false},
		tag{elf.DT_RELAENT, "of 0", "of 0", 0, false},
		tag{elf.DT_VERNEED, "outside", "0x10000000000", outside, false},
		tag{elf.DT_VERNEEDNUM, "of 2³²", "4294967296", 1 << 32, false},
	)
	if dyn, ok := l.section(".dynamic"); ok {
		g.put("that is empty", "section \".dynsym\"", dyn.off, 8, 0)
		g.add("without an end", "none", func(b []byte) []byte {
			for at := dyn.off; at < dyn.off+dyn.sz; at += dynSize {
				if b[at] == 0 {
					b[at] = byte(elf.DT_DEBUG)
				}
			}
			return b
		})
	}
	g.tagsForLinker(l)
	return g.all
}

// tagsForLinker are entries that facts are not read from.
func (g *group) tagsForLinker(l *layout) {
	for _, t := range []elf.DynTag{elf.DT_JMPREL, elf.DT_GNU_HASH, elf.DT_VERSYM, elf.DT_INIT, elf.DT_INIT_ARRAY} {
		g.tags(l, tag{t, "outside", "", outside, true}, tag{t, "at 1", "", 1, true})
	}
	g.tags(l,
		tag{elf.DT_INIT_ARRAYSZ, "of 2⁴⁰", "", 1 << 40, true},
		tag{elf.DT_PLTRELSZ, "of 2⁴⁰", "", 1 << 40, true},
		tag{elf.DT_PLTREL, "of another kind", "", uint64(elf.DT_REL), true},
		tag{elf.DT_RELACOUNT, "of 2³²", "", 1 << 32, true},
		tag{elf.DT_FLAGS_1, "that forbids to open it", "", uint64(elf.DF_1_NOOPEN), true},
		tag{elf.DT_FLAGS_1, "of a program", "", uint64(elf.DF_1_PIE), true},
	)
}

// fingerprint and the others are symbols that every driver file has.
const (
	fingerprint = "go:link.pkghashbytes.runtime"
	manifest    = ".DriverManifest"
	newDriver   = ".NewDriver"
)

// symbols bends records of the dynamic symbol table.
func symbols(l *layout) []Damage {
	g := group{family: "symbols"}
	syms, _ := l.section(".dynsym")
	g.put("first symbol without a name", "one at 0xffffffff", syms.off+symSize, 4, 0xffffffff)
	g.put("last symbol without a name", "one at 0xffffffff", syms.off+syms.sz-symSize, 4, 0xffffffff)
	if at, ok := l.symbol(fingerprint); ok {
		g.puts(
			edit{"fingerprint of 16 bytes", "16 for \"runtime\"", at + 16, 8, 16, false},
			edit{"fingerprint of no bytes", "0 for \"runtime\"", at + 16, 8, 0, false},
			edit{"fingerprint outside", "0x10000000000", at + 8, 8, outside, false},
			edit{"fingerprint at the end of memory", "0xfffffffffffffffc", at + 8, 8, ^uint64(0) - 3, false},
		)
		g.put("fingerprint of something else", "", l.fileOffset(l.u64(at+8)), 8, 0)
		g.all[len(g.all)-1].By = Comparison
		g.add("two fingerprints of a package", "two for", func(b []byte) []byte {
			for other := syms.off; other < syms.off+syms.sz; other += symSize {
				if other != at && l.u64(other+16) == 8 && l.u16(other+6) != 0 {
					copy(b[other:other+4], b[at:at+4])
					break
				}
			}
			return b
		})
	}
	if at, ok := l.symbol(newDriver); ok {
		g.put("NewDriver that is not there", "none", at+6, 2, 0)
		g.put("NewDriver outside", "", at+8, 8, outside)
	}
	return g.all
}

// relocations bends what tells the dynamic linker where to write.
func relocations(l *layout) []Damage {
	g := group{family: "relocations"}
	for _, s := range l.named(".rela.dyn", ".rela.plt") {
		count := s.sz / relaSize
		for i, name := range []string{"first", "middle", "last"} {
			at := s.off + uint64(i)*(count-1)/2*relaSize
			name += " of " + s.name + " "
			g.put(name+"that writes outside", "", at, 8, outside)
			g.put(name+"that writes far below", "", at, 8, ^uint64(0)-1<<46)
			g.put(name+"that writes slightly below", "", at, 8, ^uint64(0)-1<<16)
			g.put(name+"that writes into code", "", at, 8, 8)
			g.put(name+"of an unknown type", "", at+8, 4, 0xff)
			g.put(name+"of a symbol that is not there", "", at+8, 8, l.absolute()|0x7fffffff<<32)
		}
	}
	return g.all
}

// manifestPointers let the manifest be no text in the file.
func manifestPointers(l *layout) []Damage {
	g := group{family: "manifest pointer"}
	sym, ok := l.symbol(manifest)
	if !ok {
		return nil
	}
	header := l.u64(sym + 8)
	g.puts(
		edit{"symbol that is a function", "STT_FUNC", sym + 4, 1, uint64(elf.STB_GLOBAL)<<4 | uint64(elf.STT_FUNC), false},
		edit{"symbol of 24 bytes", "24 bytes", sym + 16, 8, 24, false},
		edit{"symbol that is not there", "none", sym + 6, 2, 0, false},
		edit{"symbol outside", "0x10000000000", sym + 8, 8, outside, false},
		edit{"symbol at the end of memory", "0xfffffffffffffffc", sym + 8, 8, ^uint64(0) - 3, false},
	)
	if at := l.fileOffset(header); at > 0 {
		g.puts(
			edit{"text of 2⁶³ bytes", "9223372036854775808", at + 8, 8, 1 << 63, false},
			edit{"text of 64 KiB and one byte", "65537", at + 8, 8, 64<<10 + 1, false},
			edit{"text of no bytes", "empty", at + 8, 8, 0, false},
		)
	}
	rela, _ := l.section(".rela.dyn")
	for at := rela.off; at < rela.off+rela.sz; at += relaSize {
		if l.u64(at) != header {
			continue
		}
		g.puts(
			edit{"text outside", "0x10000000000", at + 16, 8, outside, false},
			edit{"text at the end of memory", "0xfffffffffffffffc", at + 16, 8, ^uint64(0) - 3, false},
			edit{"text at 0", "bytes at 0x0", at + 16, 8, 0, false},
			edit{"pointer that nothing relocates", "", at + 8, 8, 0, true},
			edit{"pointer to a symbol that is not there", "against symbol", at + 8, 8, 0x7fffffff<<32 | l.absolute(), false},
		)
		break
	}
	return g.all
}

// absolute is the type of a relocation to a symbol.
func (l *layout) absolute() uint64 {
	if elf.Machine(l.u16(18)) == elf.EM_AARCH64 {
		return uint64(elf.R_AARCH64_ABS64)
	}
	return uint64(elf.R_X86_64_64)
}

// buildInfo bends what the go command recorded.
func buildInfo(l *layout) []Damage {
	g := group{family: "build information"}
	s, ok := l.section(".go.buildinfo")
	if !ok {
		return nil
	}
	version := uint64(l.bytes[s.off+32])
	g.puts(
		edit{"without its mark", "bytes: 00 20 47 6f", s.off, 1, 0, false},
		edit{"as Go 1.17 wrote it", "1.17", s.off + 15, 1, 0, false},
		edit{"with a long Go version", "ends early", s.off + 32, 1, 0xff, false},
		edit{"without a Go version", "ends early", s.off + 32, 1, 0, false},
		edit{"with a list of modules of 2⁶⁴ bytes", "ends early", s.off + 33 + version, 8, ^uint64(0), false},
	)
	return g.all
}
