package badfiles

import (
	"debug/elf"
	"fmt"
	"slices"
)

// outside is an address that no file of a sane size has.
const outside = 1 << 40

// truncated cuts the file within the headers and at every section boundary.
func truncated(l *layout) []Damage {
	g := group{family: "truncated"}
	for _, at := range []uint64{1, 4, 15} {
		g.cut(at, "in the first bytes")
	}
	for _, at := range []uint64{16, headerSize - 1, headerSize, headerSize + segmentSize/2} {
		g.cut(at, "in the headers")
	}
	cuts := map[uint64]string{l.size() - 1: "the last byte", l.size() / 2: "the half"}
	for _, s := range l.sections {
		if s.inFile() {
			cuts[s.off], cuts[s.off+s.sz] = "before "+s.name, "behind "+s.name
		}
	}
	for _, s := range l.segments {
		if s.kind == elf.PT_LOAD {
			cuts[s.off+s.fileSize] = fmt.Sprintf("behind the segment at %#x", s.addr)
		}
	}
	cuts[l.u64(40)] = "before the section table"
	cuts[l.size()-sectionSize] = "before the last section header"
	var places []uint64
	for at := range cuts {
		if at > headerSize+segmentSize && at < l.size() {
			places = append(places, at)
		}
	}
	slices.Sort(places)
	for _, at := range places {
		g.cut(at, cuts[at])
	}
	return g.all
}

// zeroed puts zeros over headers, over tables and over code.
func zeroed(l *layout) []Damage {
	g := group{family: "zeroed"}
	g.zero("identification", "begins with 00 00 00 00", 0, 16)
	g.zero("ELF header behind the identification", "ELF file of type ET_NONE", 16, headerSize-16)
	g.zero("program headers", "one without the other", l.u64(32), l.u16(56)*segmentSize)
	g.zero("section table", "SHT_NULL", l.u64(40), l.u16(60)*sectionSize)
	g.zero("first page", "begins with 00 00 00 00", 0, min(4096, l.size()))
	g.zero("all but the ELF header", "SHT_NULL", headerSize, l.size()-headerSize)
	g.zero("second half", "SHT_NULL", l.size()/2, l.size()-l.size()/2)
	for _, z := range []struct{ section, found string }{
		{".dynsym", "0 packages"}, {".dynstr", "0 packages"}, {".dynamic", "section \".dynsym\""}, {".go.buildinfo", "00 00 00 00"}, {".shstrtab", "none"},
	} {
		for _, s := range l.named(z.section) {
			g.zero(s.name, z.found, s.off, s.sz)
		}
	}
	for _, s := range l.named(".dynsym") {
		g.zero("first half of "+s.name, "packages, none of which is", s.off, s.sz/2)
	}
	g.zeroedForLinker(l)
	return g.all
}

// zeroedForLinker are places that only the dynamic linker, the runtime or the
// processor comes to. What is left out here does no harm before it is used:
// .got, .plt and .rela.plt, say, which calls of C go through.
func (g *group) zeroedForLinker(l *layout) {
	for _, s := range l.named(".gnu.hash", ".gnu.version_r", ".rela.dyn", ".init", ".text", ".rodata", ".gopclntab", ".data.rel.ro", ".data", ".go.module") {
		g.zero(s.name, "", s.off, s.sz)
		g.onOpening(1)
	}
	for _, s := range l.named(".dynstr", ".rela.dyn", ".text", ".rodata", ".gopclntab", ".data.rel.ro") {
		g.zero("first half of "+s.name, "", s.off, s.sz/2)
		g.onOpening(1)
	}
	for _, s := range l.named(".rela.dyn", ".text", ".rodata", ".gopclntab", ".data.rel.ro") {
		g.zero("second half of "+s.name, "", s.off+s.sz/2, s.sz-s.sz/2)
		g.onOpening(1)
	}
}

// headers bends one field of the ELF header.
func headers(l *layout) []Damage {
	g := group{family: "ELF header"}
	g.puts(
		edit{"class 0", "class 0", elf.EI_CLASS, 1, 0, false},
		edit{"32 bit", " bytes", elf.EI_CLASS, 1, 1, false},
		edit{"class 3", "class 3", elf.EI_CLASS, 1, 3, false},
		edit{"byte order 0", "byte order 0", elf.EI_DATA, 1, 0, false},
		edit{"big-endian", "ELF file of type", elf.EI_DATA, 1, 2, false},
		edit{"byte order 3", "byte order 3", elf.EI_DATA, 1, 3, false},
		edit{"version of ELF", "", elf.EI_VERSION, 1, 0, true},
		edit{"system FreeBSD", "", elf.EI_OSABI, 1, 9, true},
		edit{"system 255", "", elf.EI_OSABI, 1, 255, true},
		edit{"no type", "ET_NONE", 16, 2, 0, false},
		edit{"object file", "ET_REL", 16, 2, 1, false},
		edit{"program at fixed addresses", "", 16, 2, 2, true},
		edit{"core dump", "ET_CORE", 16, 2, 4, false},
		edit{"type 0xffff", "ET_HIPROC", 16, 2, 0xffff, false},
		edit{"program headers elsewhere", "a file of", 32, 8, outside, false},
		edit{"program headers that wrap", "offset 0xfffffffffffffff7", 32, 8, ^uint64(0) - 8, false},
		edit{"program headers of 57 bytes", "of 57 bytes", 54, 2, 57, false},
		edit{"program headers of 0 bytes", "of 0 bytes", 54, 2, 0, false},
		edit{"no program headers", "0 of 56 bytes", 56, 2, 0, false},
		edit{"65535 program headers", "65535 of 56 bytes", 56, 2, 0xffff, false},
		edit{"65534 program headers", "a file of", 56, 2, 0xfffe, false},
		edit{"section table elsewhere", "a file of", 40, 8, outside, false},
		edit{"section table that wraps", "offset 0xfffffffffffffff7", 40, 8, ^uint64(0) - 8, false},
		edit{"section table over the ELF header", "a file of", 40, 8, 0, false},
		edit{"section headers of 40 bytes", "of 40 bytes", 58, 2, 40, false},
		edit{"no sections", "none: the file was stripped", 60, 2, 0, false},
		edit{"65535 sections", "a file of", 60, 2, 0xffff, false},
		edit{"section names in no section", "names in section 65535", 62, 2, 0xffff, false},
		edit{"section names in section 0", "SHT_NULL", 62, 2, 0, false},
		edit{"section names among the symbols", "SHT_DYNSYM", 62, 2, 4, false},
	)
	for _, m := range []struct {
		machine elf.Machine
		found   string
	}{
		{elf.EM_NONE, ""}, {elf.EM_PPC64, ""}, {elf.EM_386, "for 386"}, {elf.EM_ARM, "for arm"}, {elf.EM_AARCH64, "for arm64"}, {elf.EM_X86_64, "for amd64"},
		{elf.EM_RISCV, "for riscv64"}, {elf.EM_LOONGARCH, "for loong64"}, {elf.EM_S390, "for s390x"},
	} {
		if elf.Machine(l.u16(18)) != m.machine {
			g.put("machine "+m.machine.String(), m.found, 18, 2, uint64(m.machine))
		}
	}
	return g.all
}

// segments bends the program headers, which the dynamic linker goes by.
func segments(l *layout) []Damage {
	g := group{family: "program headers"}
	var loads []segment
	for _, s := range l.segments {
		if s.kind == elf.PT_LOAD {
			loads = append(loads, s)
		}
	}
	for i, s := range loads {
		name := fmt.Sprintf("loaded segment %d ", i+1)
		g.puts(
			edit{name + "behind the end", "a file of", s.at + 8, 8, l.size(), false},
			edit{name + "that wraps in the file", "offset 0xfffffffffffffff0", s.at + 8, 8, ^uint64(0) - 15, false},
			edit{name + "longer than the file", "a file of", s.at + 32, 8, l.size() + 1, false},
			edit{name + "that wraps in memory", "at address 0xfffffffffffffff0", s.at + 16, 8, ^uint64(0) - 15, false},
			edit{name + "with less memory than bytes", fmt.Sprintf("%#x bytes for %#x", s.fileSize-1, s.fileSize), s.at + 40, 8, s.fileSize - 1, false},
			edit{name + "with 2⁶² bytes of memory", "", s.at + 40, 8, 1 << 62, i == len(loads)-1},
		)
		if i > 0 {
			g.put(name+"over the one before", "inside or before another", s.at+16, 8, s.addr&0xfff)
		}
		switch {
		case s.flags&elf.PF_X != 0:
			g.put(name+"of code that cannot run", "", s.at+4, 4, uint64(elf.PF_R))
		case s.flags&elf.PF_W != 0:
			g.put(name+"of data that cannot be written", "", s.at+4, 4, uint64(elf.PF_R))
		}
	}
	g.otherSegments(l)
	return g.all
}

func (g *group) otherSegments(l *layout) {
	if s, ok := l.segmentOf(elf.PT_DYNAMIC); ok {
		g.puts(
			edit{"no dynamic segment", "one without the other", s.at, 4, uint64(elf.PT_NULL), false},
			edit{"dynamic segment elsewhere in the file", "offset 0x40", s.at + 8, 8, 64, false},
			edit{"dynamic segment elsewhere in memory", fmt.Sprintf("one at address %#x", s.addr+8), s.at + 16, 8, s.addr + 8, false},
			edit{"dynamic segment in no memory", "0x10000000000", s.at + 16, 8, outside, false},
			edit{"empty dynamic segment", "none", s.at + 32, 8, 0, false},
		)
	}
	if s, ok := l.segmentOf(elf.PT_NOTE); ok {
		g.put("two dynamic segments", "two", s.at, 4, uint64(elf.PT_DYNAMIC))
	}
	if s, ok := l.segmentOf(elf.PT_GNU_RELRO); ok {
		g.put("read-only data elsewhere", "", s.at+16, 8, outside)
	}
}
