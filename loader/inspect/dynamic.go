package inspect

import (
	"debug/elf"
	"fmt"
)

// Sizes of the records of ELF64, and limits on the dynamic table.
const (
	symSize    = 24
	relaSize   = 24
	dynSize    = 16
	maxDynamic = 64 << 10
	maxNeeded  = 1024
)

// dynamic is the dynamic linker's view of a file for amd64 or arm64.
type dynamic struct {
	*image
	strings []byte // .dynstr
	tags    map[elf.DynTag]uint64
	needed  []string
	steps   int // records of symbol versions that were read

	symOff, symCount   uint64 // .dynsym
	relaOff, relaCount uint64 // .rela.dyn

	sorts   []symbolSort    // by index, once the symbols were checked
	foreign map[uint64]bool // functions to be called that are another file's
}

// symbol is one record of .dynsym.
type symbol struct {
	name        uint32 // offset in strings
	kind        elf.SymType
	section     elf.SectionIndex
	value, size uint64
}

// openDynamic finds the tables through the dynamic segment and checks that the
// section table means the same ones. It returns nil for a static program.
func (img *image) openDynamic() (*dynamic, error) {
	var sec *section
	for i := range img.sections {
		if img.sections[i].kind != elf.SHT_DYNSYM {
			continue
		}
		if sec != nil {
			return nil, corrupt("one dynamic symbol table", "two")
		}
		sec = &img.sections[i]
	}
	if (sec == nil) != (img.dynamic == nil) {
		return nil, disagree("a dynamic segment and a dynamic symbol table, or neither", "one without the other")
	}
	if sec == nil {
		return nil, nil
	}
	tags, needed, err := img.readTags()
	if err != nil {
		return nil, err
	}
	dyn := &dynamic{image: img, tags: tags, foreign: map[uint64]bool{}}
	if err := dyn.findSymbols(sec, tags); err != nil {
		return nil, err
	}
	if err := dyn.findRelocations(tags); err != nil {
		return nil, err
	}
	for _, off := range needed {
		name, ok := cstring(dyn.strings, off)
		if !ok {
			return nil, corrupt("names of needed libraries", fmt.Sprintf("none at %#x", off))
		}
		dyn.needed = append(dyn.needed, name)
	}
	return dyn, nil
}

// readTags reads the dynamic table: one value a tag, and the needed libraries.
func (img *image) readTags() (map[elf.DynTag]uint64, []uint64, error) {
	size := min(img.dynamic.filesz, maxDynamic)
	off, ok := img.fileOffset(img.dynamic.addr, size)
	if !ok || off != img.dynamic.off {
		return nil, nil, disagree("a dynamic segment inside a loaded one",
			fmt.Sprintf("one at address %#x, offset %#x", img.dynamic.addr, img.dynamic.off))
	}
	raw, err := img.read("the dynamic table", off, size)
	if err != nil {
		return nil, nil, err
	}
	tags, needed := map[elf.DynTag]uint64{}, []uint64{}
	for ; len(raw) >= dynSize; raw = raw[dynSize:] {
		tag, value := elf.DynTag(img.order.Uint64(raw)), img.order.Uint64(raw[8:])
		switch tag {
		case elf.DT_NULL:
			return tags, needed, nil
		case elf.DT_NEEDED:
			if needed = append(needed, value); len(needed) > maxNeeded {
				return nil, nil, corrupt(fmt.Sprintf("at most %d needed libraries", maxNeeded), "more")
			}
		default:
			tags[tag] = value // the last one counts, as for the dynamic linker
		}
	}
	return nil, nil, corrupt("an end of the dynamic table", "none")
}

// findSymbols settles where symbols and their names stand. Only the section
// table says how many symbols there are.
func (d *dynamic) findSymbols(sym *section, tags map[elf.DynTag]uint64) error {
	if int(sym.link) >= len(d.sections) {
		return corrupt("a string table for the symbols", fmt.Sprintf("section %d", sym.link))
	}
	str := &d.sections[sym.link]
	if err := d.sameTable("symbols", sym, tags[elf.DT_SYMTAB], sym.size); err != nil {
		return err
	}
	if err := d.sameTable("symbol names", str, tags[elf.DT_STRTAB], tags[elf.DT_STRSZ]); err != nil {
		return err
	}
	if tags[elf.DT_SYMENT] != symSize || sym.size%symSize != 0 {
		return corrupt(fmt.Sprintf("symbols of %d bytes", symSize), fmt.Sprintf("%d of %d", sym.size, tags[elf.DT_SYMENT]))
	}
	var err error
	d.symOff, d.symCount = sym.off, sym.size/symSize
	d.strings, err = d.read("the symbol names", str.off, str.size)
	return err
}

// findRelocations does the same for the relocations. They are optional.
func (d *dynamic) findRelocations(tags map[elf.DynTag]uint64) error {
	addr, ok := tags[elf.DT_RELA]
	size := tags[elf.DT_RELASZ]
	// The dynamic linker asserts the one even if there is nothing to relocate.
	broken := corrupt(fmt.Sprintf("relocations of %d bytes", relaSize), fmt.Sprintf("%d of %d", size, tags[elf.DT_RELAENT]))
	if ok && tags[elf.DT_RELAENT] != relaSize {
		return broken
	}
	sec := d.sectionNamed(".rela.dyn")
	if sec == nil {
		// The Go linker's own name for it, when no C linker took part.
		sec = d.sectionNamed(".rela")
	}
	if sec == nil && size == 0 {
		return nil
	}
	if sec == nil {
		return disagree("relocations in the section table", "none")
	}
	if err := d.sameTable("relocations", sec, addr, size); err != nil {
		return err
	}
	if size%relaSize != 0 {
		return broken
	}
	d.relaOff, d.relaCount = sec.off, size/relaSize
	return nil
}

// sameTable checks that a section is what the dynamic table means, and that it
// is mapped from the place in the file where the section says it is.
func (d *dynamic) sameTable(what string, sec *section, addr, size uint64) error {
	off, ok := d.fileOffset(addr, size)
	if sec.kind == elf.SHT_NOBITS || sec.addr != addr || sec.size != size || !ok || off != sec.off {
		return disagree(
			fmt.Sprintf("%s at address %#x, %d bytes, as the dynamic linker reads them", what, addr, size),
			fmt.Sprintf("section %q at %#x, offset %#x, %d bytes", sec.name, sec.addr, sec.off, sec.size))
	}
	return nil
}

// chunks calls each with count records of size bytes from off, a few thousand at
// a time, so that a table is never held as a whole.
func (d *dynamic) chunks(what string, off, count, size uint64, each func(records []byte) error) error {
	if err := d.within(what, off, count*size); err != nil {
		return err
	}
	buf := make([]byte, min(count, 2048)*size)
	for count > 0 {
		n := min(count, 2048)
		if err := d.readAt(buf[:n*size], off); err != nil {
			return err
		}
		if err := each(buf[:n*size]); err != nil {
			return err
		}
		count, off = count-n, off+n*size
	}
	return nil
}

// records calls each with one record at a time.
func (d *dynamic) records(what string, off, count, size uint64, each func(rec []byte) error) error {
	return d.chunks(what, off, count, size, func(buf []byte) error {
		for ; len(buf) > 0; buf = buf[size:] {
			if err := each(buf[:size]); err != nil {
				return err
			}
		}
		return nil
	})
}

// symbols calls each with every symbol that the file defines and whose name
// begins with one of the prefixes, and with the rest of that name.
//
// Names are looked up from the records, not the other way round: linkers let
// one name stand inside the tail of another, so a text found in the string
// table does not tell where a name begins.
func (d *dynamic) symbols(each func(sym symbol, prefix, rest string) error, prefixes ...string) error {
	return d.records("the symbols", d.symOff, d.symCount, symSize, func(rec []byte) error {
		name := uint64(d.order.Uint32(rec))
		if name >= uint64(len(d.strings)) {
			return corrupt("a name for each symbol", fmt.Sprintf("one at %#x of %#x", name, len(d.strings)))
		}
		text := d.strings[name:]
		for _, prefix := range prefixes {
			if len(text) < len(prefix) || string(text[:len(prefix)]) != prefix {
				continue
			}
			sym := d.symbol(rec)
			if sym.section == elf.SHN_UNDEF {
				return nil
			}
			rest, ok := cstring(d.strings, name+uint64(len(prefix)))
			if !ok {
				return corrupt(fmt.Sprintf("symbol names of at most %d bytes", maxName), "a longer one")
			}
			return each(sym, prefix, rest)
		}
		return nil
	})
}

func (d *dynamic) symbol(rec []byte) symbol {
	return symbol{
		name:    d.order.Uint32(rec),
		kind:    elf.SymType(rec[4] & 0xf),
		section: elf.SectionIndex(d.order.Uint16(rec[6:])),
		value:   d.order.Uint64(rec[8:]),
		size:    d.order.Uint64(rec[16:]),
	}
}
