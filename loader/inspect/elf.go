package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// Limits on what a file can make the reader allocate. Real files stay far
// below: the SQLite driver has 46 sections and a string table of 0.6 MB.
const (
	maxSectionNames = 1 << 20
	maxName         = 4096 // an import path, a symbol, a library
	maxTable        = 128 << 20
	maxLoads        = 64 // linkers make some five
)

// image is an ELF file whose header, program headers and section table have
// been checked against the length of the file. The package has a reader of its
// own because debug/elf lets the file choose how much is allocated, looks at
// neither truncation nor the dynamic linker's view, and cannot find one symbol
// without making all of them.
type image struct {
	r     io.ReaderAt
	size  uint64
	order binary.ByteOrder
	class elf.Class
	osabi elf.OSABI

	machine  elf.Machine
	loads    []segment // PT_LOAD, by rising address, none overlapping
	loaded   uint64    // bytes of the file in all of these
	dynamic  *segment  // PT_DYNAMIC, or nil
	others   []segment // of other types
	headers  segment   // where the program headers are in the file
	sections []section
}

type segment struct {
	kind                            elf.ProgType
	flags                           elf.ProgFlag
	off, addr, filesz, memsz, align uint64
}

type section struct {
	name            string
	kind            elf.SectionType
	flags           elf.SectionFlag
	addr, off, size uint64
	nameOff, link   uint32
}

// hasFullReader reports whether the dynamic tables of this machine are read.
func (img *image) hasFullReader() bool {
	return img.class == elf.ELFCLASS64 && img.order == binary.LittleEndian &&
		(img.machine == elf.EM_X86_64 || img.machine == elf.EM_AARCH64)
}

func openImage(r io.ReaderAt, size int64) (*image, error) {
	img := &image{r: r, size: uint64(max(size, 0))}
	head := make([]byte, min(img.size, 64))
	if err := img.readAt(head, 0); err != nil {
		return nil, err
	}
	if len(head) < elf.EI_NIDENT || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return nil, &FormatError{Kind: NotELF, Wanted: "an ELF file", Found: sniff(head),
			Remedy: "a driver file for linux is made on, or for, linux"}
	}
	img.class, img.osabi = elf.Class(head[elf.EI_CLASS]), elf.OSABI(head[elf.EI_OSABI])
	switch elf.Data(head[elf.EI_DATA]) {
	case elf.ELFDATA2LSB:
		img.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		img.order = binary.BigEndian
	default:
		return nil, &FormatError{Kind: Unsupported, Wanted: "a known byte order",
			Found: fmt.Sprintf("byte order %d", head[elf.EI_DATA])}
	}
	h, err := img.readHeader(head)
	if err != nil {
		return nil, err
	}
	if err := img.readSegments(h); err != nil {
		return nil, err
	}
	if err := img.readSections(h); err != nil {
		return nil, err
	}
	return img, nil
}

// sniff names the commonest files that are not ELF.
func sniff(head []byte) string {
	for _, known := range []struct{ magic, name string }{
		{"MZ", "a Windows program"},
		{"\xcf\xfa\xed\xfe", "a macOS binary"},
		{"\xca\xfe\xba\xbe", "a macOS universal binary"},
		{"#!", "a script"},
		{"!<arch>", "an archive"},
		{"\x1f\x8b", "a gzip file"},
		{"PK\x03\x04", "a zip file"},
	} {
		if bytes.HasPrefix(head, []byte(known.magic)) {
			return known.name
		}
	}
	if len(head) == 0 {
		return "an empty file"
	}
	return fmt.Sprintf("a file that begins with % x", head[:min(len(head), 4)])
}

// header is what the ELF header says of the two tables.
type header struct {
	phoff, shoff   uint64
	phnum, shnum   int
	phsize, shsize uint64 // of one entry
	shstrndx       int
}

func (img *image) readHeader(head []byte) (header, error) {
	var h header
	o := img.order
	want := map[elf.Class]int{elf.ELFCLASS32: 52, elf.ELFCLASS64: 64}[img.class]
	switch {
	case want == 0:
		return h, &FormatError{Kind: Unsupported, Wanted: "a 32 or 64 bit ELF file",
			Found: fmt.Sprintf("class %d", img.class)}
	case len(head) < want:
		return h, truncated("the ELF header", uint64(want), img.size)
	}
	img.machine = elf.Machine(o.Uint16(head[18:]))
	if t := elf.Type(o.Uint16(head[16:])); t != elf.ET_EXEC && t != elf.ET_DYN {
		return h, &FormatError{Kind: Unsupported, Wanted: "a program or a shared library",
			Found: fmt.Sprintf("an ELF file of type %s", t), Remedy: "name the linked file"}
	}
	counts := head[want-10:] // phentsize, phnum, shentsize, shnum, shstrndx end either header
	if img.class == elf.ELFCLASS64 {
		h.phoff, h.shoff, h.phsize, h.shsize = o.Uint64(head[32:]), o.Uint64(head[40:]), 56, 64
	} else {
		h.phoff, h.shoff, h.phsize, h.shsize = uint64(o.Uint32(head[28:])), uint64(o.Uint32(head[32:])), 32, 40
	}
	phsize, shsize := uint64(o.Uint16(counts)), uint64(o.Uint16(counts[4:]))
	h.phnum, h.shnum = int(o.Uint16(counts[2:])), int(o.Uint16(counts[6:]))
	h.shstrndx = int(o.Uint16(counts[8:]))
	switch {
	case h.phnum == 0 || h.phnum == 0xffff || phsize != h.phsize:
		return h, corrupt(fmt.Sprintf("program headers of %d bytes", h.phsize), fmt.Sprintf("%d of %d bytes", h.phnum, phsize))
	case h.shnum == 0:
		// Also what a file of more than 65279 sections says: no linked Go file.
		return h, corrupt("a section table", "none: the file was stripped of it or packed")
	case shsize != h.shsize || h.shstrndx >= h.shnum:
		return h, corrupt(fmt.Sprintf("section headers of %d bytes", h.shsize),
			fmt.Sprintf("%d of %d bytes, names in section %d", h.shnum, shsize, h.shstrndx))
	}
	return h, nil
}

func (img *image) readSegments(h header) error {
	raw, err := img.read("the program headers", h.phoff, uint64(h.phnum)*h.phsize)
	if err != nil {
		return err
	}
	img.headers = segment{off: h.phoff, filesz: uint64(len(raw))}
	for ; len(raw) > 0; raw = raw[h.phsize:] {
		seg := img.segment(raw)
		switch seg.kind {
		case elf.PT_LOAD:
			if err := img.addLoad(seg); err != nil {
				return err
			}
		case elf.PT_DYNAMIC:
			if img.dynamic != nil {
				return corrupt("one dynamic segment", "two")
			}
			img.dynamic = &seg
		default:
			img.others = append(img.others, seg)
		}
	}
	return nil
}

func (img *image) segment(raw []byte) segment {
	o := img.order
	if img.class == elf.ELFCLASS64 {
		return segment{elf.ProgType(o.Uint32(raw)), elf.ProgFlag(o.Uint32(raw[4:])),
			o.Uint64(raw[8:]), o.Uint64(raw[16:]), o.Uint64(raw[32:]), o.Uint64(raw[40:]), o.Uint64(raw[48:])}
	}
	return segment{elf.ProgType(o.Uint32(raw)), elf.ProgFlag(o.Uint32(raw[24:])), uint64(o.Uint32(raw[4:])),
		uint64(o.Uint32(raw[8:])), uint64(o.Uint32(raw[16:])), uint64(o.Uint32(raw[20:])), uint64(o.Uint32(raw[28:]))}
}

// addLoad takes in a segment that is mapped. One that reaches past the end of
// the file would be mapped all the same, and kill the process when touched.
func (img *image) addLoad(seg segment) error {
	if err := img.within("a loaded segment", seg.off, seg.filesz); err != nil {
		return err
	}
	end := seg.addr + seg.memsz
	if seg.memsz < seg.filesz || end < seg.addr {
		return corrupt("a segment that holds what is loaded into it",
			fmt.Sprintf("%#x bytes for %#x at address %#x", seg.memsz, seg.filesz, seg.addr))
	}
	// Linkers let segments share a page of the file, and no more.
	if img.loaded += seg.filesz; len(img.loads) == maxLoads || img.loaded > img.size+pageMax*uint64(len(img.loads)+1) {
		return corrupt(fmt.Sprintf("at most %d loaded segments, each of bytes of its own", maxLoads),
			fmt.Sprintf("%d with %d of the file's %d bytes", len(img.loads)+1, img.loaded, img.size))
	}
	if n := len(img.loads); n > 0 && seg.addr < img.loads[n-1].addr+img.loads[n-1].memsz {
		return corrupt("segments by rising address", fmt.Sprintf("one at %#x inside or before another", seg.addr))
	}
	img.loads = append(img.loads, seg)
	return nil
}

func (img *image) readSections(h header) error {
	raw, err := img.read("the section table", h.shoff, uint64(h.shnum)*h.shsize)
	if err != nil {
		return err
	}
	for i := 0; len(raw) > 0; i, raw = i+1, raw[h.shsize:] {
		s := img.section(raw)
		if i > 0 && s.kind != elf.SHT_NULL && s.kind != elf.SHT_NOBITS {
			if err := img.within("a section", s.off, s.size); err != nil {
				return err
			}
		}
		img.sections = append(img.sections, s)
	}
	str := img.sections[h.shstrndx]
	if str.size > maxSectionNames || str.kind != elf.SHT_STRTAB {
		return corrupt("a table of section names", fmt.Sprintf("a section of type %s, %d bytes", str.kind, str.size))
	}
	names, err := img.read("the section names", str.off, str.size)
	if err != nil {
		return err
	}
	for i := range img.sections {
		name, ok := cstring(names, uint64(img.sections[i].nameOff))
		if !ok {
			return corrupt("a name for each section", fmt.Sprintf("none for section %d", i))
		}
		img.sections[i].name = name
	}
	return nil
}

func (img *image) section(raw []byte) section {
	o := img.order
	s := section{nameOff: o.Uint32(raw), kind: elf.SectionType(o.Uint32(raw[4:]))}
	if img.class == elf.ELFCLASS64 {
		s.flags = elf.SectionFlag(o.Uint64(raw[8:]))
		s.addr, s.off, s.size, s.link = o.Uint64(raw[16:]), o.Uint64(raw[24:]), o.Uint64(raw[32:]), o.Uint32(raw[40:])
	} else {
		s.flags = elf.SectionFlag(o.Uint32(raw[8:]))
		s.addr, s.off, s.size = uint64(o.Uint32(raw[12:])), uint64(o.Uint32(raw[16:])), uint64(o.Uint32(raw[20:]))
		s.link = o.Uint32(raw[24:])
	}
	return s
}

// sectionNamed returns the first section of that name, or nil.
func (img *image) sectionNamed(name string) *section {
	for i := range img.sections {
		if img.sections[i].name == name && img.sections[i].kind != elf.SHT_NOBITS {
			return &img.sections[i]
		}
	}
	return nil
}
