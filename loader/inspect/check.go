package inspect

import (
	"debug/elf"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The dynamic linker believes a file: it follows every address and index, and
// calls what it is told to call, before a line of the file's code could say
// otherwise. A wrong one ends the process. So all of them are followed here
// first. What is asked of a file is what the dynamic linker needs, and beyond that
// only what the linkers that make such files always do.

// check goes through everything that the dynamic linker follows when it opens
// the file.
func (d *dynamic) check() error {
	for _, part := range []func() error{
		d.checkSegments, d.checkSections, d.checkTags, d.checkHashes, d.checkVersions, d.checkSymbols, d.checkRelocations, d.checkCalls,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// pageSize is the smallest page that a machine has, and pageMax the largest.
const (
	pageSize = 4 << 10
	pageMax  = 64 << 10
)

// checkSegments looks at what is mapped, and at what is said of the mapping.
func (d *dynamic) checkSegments() error {
	for _, seg := range d.loads {
		switch {
		case seg.align > 1 && (seg.align&(seg.align-1) != 0 || (seg.addr-seg.off)&(seg.align-1) != 0):
			return corrupt("a loaded segment at an address like its offset, by its alignment",
				fmt.Sprintf("address %#x, offset %#x, alignment %#x", seg.addr, seg.off, seg.align))
		case seg.flags&elf.PF_R == 0 && seg.flags != elf.PF_X:
			return corrupt("a loaded segment that can be read", fmt.Sprintf("one at %#x with flags %v", seg.addr, seg.flags))
		}
	}
	if load := d.load(d.dynamicAddr()); d.image.dynamic.flags&elf.PF_W != 0 && (load == nil || load.flags&elf.PF_W == 0) {
		return corrupt("a dynamic segment inside a writable one, as its flags say", "one that cannot be written")
	}
	tables := 0
	for _, seg := range d.others {
		if seg.kind == elf.PT_PHDR {
			tables++
		}
		if err := d.checkSegment(seg); err != nil {
			return err
		}
	}
	if tables > 1 {
		return corrupt("one segment of program headers", fmt.Sprintf("%d", tables))
	}
	return nil
}

func (d *dynamic) checkSegment(seg segment) error {
	switch seg.kind {
	case elf.PT_PHDR:
		// The dynamic linker takes what is at the address for the headers.
		off, ok := d.fileOffset(seg.addr, d.headers.filesz)
		if !ok || off != d.headers.off || !d.mapped(seg.addr, d.headers.filesz, elf.PF_R) {
			return corrupt("the program headers where their segment is mapped",
				fmt.Sprintf("one at address %#x for headers at offset %#x", seg.addr, d.headers.off))
		}
	case elf.PT_TLS:
		if seg.align == 0 || seg.align&(seg.align-1) != 0 || seg.align > pageMax || seg.memsz > maxTLS || seg.filesz > seg.memsz || !d.mapped(seg.addr, seg.filesz, elf.PF_R) {
			return corrupt("a thread-local segment inside a loaded one",
				fmt.Sprintf("%#x of %#x bytes at %#x, alignment %#x", seg.filesz, seg.memsz, seg.addr, seg.align))
		}
	case elf.PT_GNU_RELRO:
		// Linkers round the end up to a page.
		load := d.load(seg.addr)
		if load == nil || load.flags&elf.PF_W == 0 || seg.memsz > load.memsz+pageMax || seg.addr+seg.memsz > load.addr+load.memsz+pageMax {
			return corrupt("a part of a writable segment to protect", fmt.Sprintf("%#x bytes at %#x", seg.memsz, seg.addr))
		}
	case elf.PT_NOTE, elf.PT_GNU_PROPERTY:
		if seg.filesz > 0 && !d.mapped(seg.addr, seg.memsz, elf.PF_R) {
			return corrupt("notes inside a loaded segment", fmt.Sprintf("%#x bytes at %#x", seg.memsz, seg.addr))
		}
	}
	return nil
}

// maxTLS bounds what each thread gets for one file, which is some kilobytes.
const maxTLS = 64 << 20

// load returns the loaded segment that has an address, or nil.
func (d *dynamic) load(addr uint64) *segment {
	for i := range d.loads {
		if seg := &d.loads[i]; addr >= seg.addr && addr-seg.addr < seg.memsz {
			return seg
		}
	}
	return nil
}

// mapped reports whether n bytes at an address are mapped from the file, with
// these permissions.
func (d *dynamic) mapped(addr, n uint64, flags elf.ProgFlag) bool {
	seg := d.load(addr)
	return n == 0 || seg != nil && seg.flags&flags == flags && addr-seg.addr <= seg.filesz && n <= seg.filesz-(addr-seg.addr)
}

// maxSections bounds what is gone through for many an address. A driver has 50
// sections.
const maxSections = 4096

// checkSections holds the section table against the segments. The dynamic linker
// never looks at it, but a segment that lost a part of what it had shows here.
func (d *dynamic) checkSections() error {
	if n := len(d.sections); n > maxSections {
		return corrupt(fmt.Sprintf("at most %d sections", maxSections), fmt.Sprintf("%d", n))
	}
	var tls, relro segment
	for _, seg := range d.others {
		switch seg.kind {
		case elf.PT_TLS:
			tls = seg
		case elf.PT_GNU_RELRO:
			relro = seg
		}
	}
	tlsEnd := tls.addr
	protectedEnd := (relro.addr + relro.memsz) &^ (pageSize - 1)
	for i := range d.sections {
		s := &d.sections[i]
		if s.flags&elf.SHF_ALLOC == 0 || s.size == 0 {
			continue
		}
		if s.flags&elf.SHF_TLS != 0 && (s.addr < tls.addr || s.size > tls.memsz || s.addr-tls.addr > tls.memsz-s.size) {
			return disagree("a thread-local segment with "+s.name, fmt.Sprintf("%#x bytes at %#x", tls.memsz, tls.addr))
		}
		if s.flags&elf.SHF_TLS != 0 {
			tlsEnd = max(tlsEnd, s.addr+s.size)
		}
		if !d.holds(s) {
			return disagree(fmt.Sprintf("a loaded segment with section %q, as its flags say", s.name),
				fmt.Sprintf("%#x bytes at %#x, offset %#x, in none", s.size, s.addr, s.off))
		}
		if written[s.name] && s.addr < protectedEnd && s.addr+s.size > relro.addr {
			return disagree(fmt.Sprintf("section %q outside of what is protected after relocation", s.name),
				fmt.Sprintf("%#x protected bytes at %#x", relro.memsz, relro.addr))
		}
	}
	// Some linkers round the size up.
	if tls.memsz > 0 && tls.memsz > (tlsEnd-tls.addr+tls.align-1)&^(tls.align-1) {
		return disagree("a thread-local segment of the sections in it", fmt.Sprintf("%#x bytes for %#x", tls.memsz, tlsEnd-tls.addr))
	}
	return nil
}

// written are sections that programs write to as long as they run.
var written = map[string]bool{".data": true, ".bss": true, ".noptrdata": true, ".noptrbss": true, ".go.module": true}

// holds reports whether a section is mapped as it stands in the file.
func (d *dynamic) holds(s *section) bool {
	seg := d.load(s.addr)
	switch {
	case s.kind == elf.SHT_NOBITS && s.flags&elf.SHF_TLS != 0:
		return true // each thread has its own
	case seg == nil || s.size > seg.memsz-(s.addr-seg.addr):
		return false
	case s.flags&elf.SHF_WRITE != 0 && seg.flags&elf.PF_W == 0 || s.flags&elf.SHF_EXECINSTR != 0 && seg.flags&elf.PF_X == 0:
		return false
	case s.flags&elf.SHF_EXECINSTR == 0 && seg.flags&elf.PF_R == 0:
		return false
	case s.kind == elf.SHT_NOBITS:
		return true
	}
	off, ok := d.fileOffset(s.addr, s.size)
	return ok && off == s.off
}

// companions are tags without which the dynamic linker cannot use another one.
var companions = []struct {
	tag  elf.DynTag
	with []elf.DynTag
}{
	{elf.DT_RELA, []elf.DynTag{elf.DT_RELASZ, elf.DT_RELAENT}},
	{elf.DT_JMPREL, []elf.DynTag{elf.DT_PLTRELSZ, elf.DT_PLTREL}},
	{dtRelr, []elf.DynTag{dtRelrSize, dtRelrEnt}},
	{elf.DT_INIT_ARRAY, []elf.DynTag{elf.DT_INIT_ARRAYSZ}},
	{elf.DT_FINI_ARRAY, []elf.DynTag{elf.DT_FINI_ARRAYSZ}},
	{elf.DT_VERNEED, []elf.DynTag{elf.DT_VERNEEDNUM, elf.DT_VERSYM}},
	{elf.DT_VERDEF, []elf.DynTag{elf.DT_VERDEFNUM, elf.DT_VERSYM}},
}

// alone are companions that mean a table was lost when they are without it.
var alone = map[elf.DynTag]bool{elf.DT_RELASZ: true, elf.DT_PLTRELSZ: true, dtRelrSize: true, elf.DT_INIT_ARRAYSZ: true,
	elf.DT_FINI_ARRAYSZ: true, elf.DT_VERNEEDNUM: true, elf.DT_VERDEFNUM: true}

// The tags of packed relocations.
const (
	dtRelrSize elf.DynTag = 35
	dtRelr     elf.DynTag = 36
	dtRelrEnt  elf.DynTag = 37
)

// tagOf are the tags that lead to sections, by the type of these, and tell their
// sizes.
var tagOf = map[elf.SectionType]struct{ addr, size elf.DynTag }{
	elf.SHT_INIT_ARRAY:  {elf.DT_INIT_ARRAY, elf.DT_INIT_ARRAYSZ},
	elf.SHT_FINI_ARRAY:  {elf.DT_FINI_ARRAY, elf.DT_FINI_ARRAYSZ},
	elf.SHT_GNU_HASH:    {elf.DT_GNU_HASH, 0},
	elf.SHT_HASH:        {elf.DT_HASH, 0},
	elf.SHT_GNU_VERSYM:  {elf.DT_VERSYM, 0},
	elf.SHT_GNU_VERNEED: {elf.DT_VERNEED, 0},
	elf.SHT_GNU_VERDEF:  {elf.DT_VERDEF, 0},
	shtRelr:             {dtRelr, dtRelrSize},
}

const shtRelr elf.SectionType = 19

// checkTags looks for tags that others depend on, and for tables that section
// table and dynamic table do not both have.
func (d *dynamic) checkTags() error {
	for _, n := range companions {
		_, has := d.tags[n.tag]
		for _, other := range n.with {
			_, with := d.tags[other]
			if has && !with || with && !has && alone[other] && d.tags[other] != 0 {
				return corrupt(fmt.Sprintf("%v and %v in the dynamic table, or neither", n.tag, other), "one without the other")
			}
		}
	}
	for _, tag := range []elf.DynTag{elf.DT_INIT_ARRAYSZ, elf.DT_FINI_ARRAYSZ} {
		if n := d.tags[tag]; n%8 != 0 || n > maxArray {
			return corrupt(fmt.Sprintf("at most %d bytes of addresses for %v", maxArray, tag), fmt.Sprintf("%d", n))
		}
	}
	if n, ok := d.tags[elf.DT_PLTREL]; ok && n != uint64(elf.DT_RELA) {
		return corrupt("relocations of calls with addends (DT_PLTREL)", fmt.Sprintf("type %d", n))
	}
	if n, ok := d.tags[dtRelrEnt]; ok && n != 8 {
		return corrupt("packed relocations of 8 bytes", fmt.Sprintf("%d", n))
	}
	if n := len(d.strings); n == 0 || d.strings[n-1] != 0 {
		return corrupt("a string table that ends with a zero byte", "another one")
	}
	for _, tag := range []elf.DynTag{elf.DT_SONAME, elf.DT_RPATH, elf.DT_RUNPATH, elf.DT_AUXILIARY, elf.DT_FILTER} {
		if off := d.tags[tag]; off >= uint64(len(d.strings)) {
			return corrupt("a text for "+tag.String(), fmt.Sprintf("none at %#x", off))
		}
	}
	for i := range d.sections {
		s := &d.sections[i]
		t, ok := tagOf[s.kind]
		if !ok || s.flags&elf.SHF_ALLOC == 0 || s.size == 0 {
			continue
		}
		size := s.size
		if t.size != 0 {
			size = d.tags[t.size]
		}
		if err := d.sameTable(strings.TrimPrefix(s.name, "."), s, d.tags[t.addr], size); err != nil {
			return err
		}
	}
	return nil
}

// checkCalls looks at the functions that are called when the file is opened and
// when the process ends.
func (d *dynamic) checkCalls() error {
	for _, tag := range []elf.DynTag{elf.DT_INIT, elf.DT_FINI} {
		addr, ok := d.tags[tag]
		if !ok {
			continue
		}
		ok, err := d.isFunction(addr, map[elf.DynTag]string{elf.DT_INIT: ".init", elf.DT_FINI: ".fini"}[tag])
		if err != nil {
			return err
		}
		if !ok {
			return corrupt(fmt.Sprintf("a function for %v", tag), fmt.Sprintf("address %#x", addr))
		}
	}
	for tag, size := range map[elf.DynTag]elf.DynTag{elf.DT_INIT_ARRAY: elf.DT_INIT_ARRAYSZ, elf.DT_FINI_ARRAY: elf.DT_FINI_ARRAYSZ} {
		addr, n := d.tags[tag], d.tags[size]
		if n == 0 {
			continue
		}
		if !d.mapped(addr, n, elf.PF_R) {
			return corrupt(fmt.Sprintf("a list of functions for %v", tag), fmt.Sprintf("%#x bytes at %#x", n, addr))
		}
		mem, _, err := d.relocated(addr, n)
		if err != nil {
			return err
		}
		for ; len(mem) > 0; mem, addr = mem[8:], addr+8 {
			if f := d.order.Uint64(mem); !d.executable(f) && !d.foreign[addr] {
				return corrupt(fmt.Sprintf("functions in the list of %v", tag), fmt.Sprintf("address %#x at %#x", f, addr))
			}
		}
	}
	return nil
}

// maxArray bounds the functions that are called at the start, of which a C++
// library has some hundreds.
const maxArray = 1 << 20

// executable reports whether an address is in code.
func (d *dynamic) executable(addr uint64) bool {
	seg := d.load(addr)
	if seg == nil || seg.flags&elf.PF_X == 0 {
		return false
	}
	for i := range d.sections {
		if s := &d.sections[i]; s.flags&elf.SHF_ALLOC != 0 && s.kind != elf.SHT_NOBITS && addr >= s.addr && addr-s.addr < s.size {
			return s.flags&elf.SHF_EXECINSTR != 0
		}
	}
	return true
}

// isFunction reports whether an address can be that of a function of C: the
// section of its own that it usually has, or, as linkers can be told another one
// and tools move code about, what looks like one.
func (d *dynamic) isFunction(addr uint64, usual string) (bool, error) {
	if s := d.sectionNamed(usual); s != nil && s.addr == addr {
		return true, nil
	}
	named, first, last := false, uint64(math.MaxUint64), uint64(0)
	err := d.records("the symbols", d.symOff, d.symCount, symSize, func(rec []byte) error {
		sym := d.symbol(rec)
		if sym.kind == elf.STT_FUNC && sym.section != elf.SHN_UNDEF && goNamed(d.strings[sym.name:]) {
			first, last = min(first, sym.value), max(last, sym.value)
		} else if sym.kind == elf.STT_FUNC {
			named = named || sym.value == addr
		}
		return nil
	})
	if err != nil || !d.executable(addr) || addr >= first && addr <= last {
		return false, err // or Go's, which the dynamic linker cannot call
	}
	if d.machine == elf.EM_AARCH64 {
		return addr%4 == 0, nil
	}
	code := make([]byte, 5)
	if ok, err := d.readAddr(code, addr-1); !ok || err != nil {
		return false, err
	}
	begins := func(p string) bool { return strings.HasPrefix(string(code[1:]), p) }
	return named || slices.ContainsFunc(prologues, begins) || addr%16 == 0 && strings.IndexByte(endings, code[0]) >= 0, nil
}

// prologues are how functions begin: with a mark for the target of a call, room
// on the stack, or the frame pointer saved.
var prologues = []string{"\xf3\x0f\x1e\xfa", "\x48\x83\xec", "\x55"}

// endings are the last bytes of what stands before a function that is aligned: a
// return, a jump back, or what fills the gap.
const endings = "\xc3\xff\x90\x00\xcc"
