package badfiles

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
)

// Sizes of the records of ELF64.
const (
	headerSize  = 64
	segmentSize = 56
	sectionSize = 64
	dynSize     = 16
	symSize     = 24
	relaSize    = 24
)

// layout says where everything is in a file. It is made of sound files only, so
// that nothing is checked.
type layout struct {
	bytes    []byte
	sections []section
	segments []segment
	tags     map[elf.DynTag]uint64 // where the entry is
}

// section is a section; at is the place of its header in the file.
type section struct {
	name          string
	kind          elf.SectionType
	at            uint64
	addr, off, sz uint64
}

// inFile tells whether the section has bytes in the file.
func (s section) inFile() bool { return s.kind != elf.SHT_NULL && s.kind != elf.SHT_NOBITS && s.sz > 0 }

type segment struct {
	kind                         elf.ProgType
	flags                        elf.ProgFlag
	at                           uint64
	off, addr, fileSize, memSize uint64
}

func (l *layout) u32(off uint64) uint64 { return uint64(binary.LittleEndian.Uint32(l.bytes[off:])) }
func (l *layout) u64(off uint64) uint64 { return binary.LittleEndian.Uint64(l.bytes[off:]) }
func (l *layout) u16(off uint64) uint64 { return uint64(binary.LittleEndian.Uint16(l.bytes[off:])) }

func (l *layout) size() uint64 { return uint64(len(l.bytes)) }

func layoutOf(file []byte) *layout {
	l := &layout{bytes: file, tags: map[elf.DynTag]uint64{}}
	for i := range l.u16(56) {
		at := l.u64(32) + i*segmentSize
		l.segments = append(l.segments, segment{elf.ProgType(l.u32(at)), elf.ProgFlag(l.u32(at + 4)), at,
			l.u64(at + 8), l.u64(at + 16), l.u64(at + 32), l.u64(at + 40)})
	}
	for i := range l.u16(60) {
		at := l.u64(40) + i*sectionSize
		l.sections = append(l.sections, section{kind: elf.SectionType(l.u32(at + 4)), at: at,
			addr: l.u64(at + 16), off: l.u64(at + 24), sz: l.u64(at + 32)})
	}
	names := l.sections[l.u16(62)]
	for i := range l.sections {
		l.sections[i].name = l.text(names.off + l.u32(l.sections[i].at))
	}
	if dyn, ok := l.section(".dynamic"); ok {
		for at := dyn.off; at < dyn.off+dyn.sz && l.u64(at) != 0; at += dynSize {
			l.tags[elf.DynTag(l.u64(at))] = at
		}
	}
	return l
}

// text returns what stands at a place up to the next zero.
func (l *layout) text(off uint64) string {
	text, _, _ := bytes.Cut(l.bytes[off:], []byte{0})
	return string(text)
}

func (l *layout) section(name string) (section, bool) {
	i := slices.IndexFunc(l.sections, func(s section) bool { return s.name == name })
	if i < 0 {
		return section{}, false
	}
	return l.sections[i], true
}

// named returns those sections of these names that the file has.
func (l *layout) named(names ...string) []section {
	var found []section
	for _, name := range names {
		if s, ok := l.section(name); ok {
			found = append(found, s)
		}
	}
	return found
}

func (l *layout) segmentOf(kind elf.ProgType) (segment, bool) {
	i := slices.IndexFunc(l.segments, func(s segment) bool { return s.kind == kind })
	if i < 0 {
		return segment{}, false
	}
	return l.segments[i], true
}

// symbol returns the place of the record of the first symbol whose name ends in
// a text.
func (l *layout) symbol(suffix string) (uint64, bool) {
	syms, _ := l.section(".dynsym")
	strs, _ := l.section(".dynstr")
	for at := syms.off; at < syms.off+syms.sz; at += symSize {
		if strings.HasSuffix(l.text(strs.off+l.u32(at)), suffix) {
			return at, true
		}
	}
	return 0, false
}

// fileOffset returns where what is mapped at an address is in the file.
func (l *layout) fileOffset(addr uint64) uint64 {
	for _, s := range l.segments {
		if s.kind == elf.PT_LOAD && addr >= s.addr && addr-s.addr < s.fileSize {
			return s.off + addr - s.addr
		}
	}
	return 0
}
