package inspect

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// relocKind is what the dynamic linker does for a relocation.
type relocKind uint8

const (
	relocBad      relocKind = iota
	relocNone               // nothing
	relocRelative           // writes the address of a place in the file
	relocAbsolute           // writes that of a symbol
	relocSlot               // does so in the table of addresses that code goes by
	relocCall               // the same, for functions
	relocWord               // writes 4 bytes
	relocTLS                // writes what leads to a thread-local variable
	relocTLSDesc            // the same, in 16 bytes
	relocIndirect           // calls a function to ask for the address
)

// relocKinds are the relocations that glibc knows. It knows one more, to copy a
// variable, which is for programs alone.
func relocKinds(machine elf.Machine) (kinds [2048]relocKind) {
	set := func(kind relocKind, types ...uint32) {
		for _, t := range types {
			kinds[t] = kind
		}
	}
	if machine == elf.EM_AARCH64 {
		set(relocNone, uint32(elf.R_AARCH64_NONE), uint32(elf.R_AARCH64_NULL))
		set(relocRelative, uint32(elf.R_AARCH64_RELATIVE))
		set(relocAbsolute, uint32(elf.R_AARCH64_ABS64))
		set(relocSlot, uint32(elf.R_AARCH64_GLOB_DAT))
		set(relocCall, uint32(elf.R_AARCH64_JUMP_SLOT))
		set(relocTLS, uint32(elf.R_AARCH64_TLS_DTPMOD64), uint32(elf.R_AARCH64_TLS_DTPREL64), uint32(elf.R_AARCH64_TLS_TPREL64))
		set(relocTLSDesc, uint32(elf.R_AARCH64_TLSDESC))
		set(relocIndirect, uint32(elf.R_AARCH64_IRELATIVE))
		return kinds
	}
	set(relocNone, uint32(elf.R_X86_64_NONE))
	set(relocRelative, uint32(elf.R_X86_64_RELATIVE))
	set(relocAbsolute, uint32(elf.R_X86_64_64), uint32(elf.R_X86_64_SIZE64))
	set(relocSlot, uint32(elf.R_X86_64_GLOB_DAT))
	set(relocCall, uint32(elf.R_X86_64_JMP_SLOT))
	set(relocWord, uint32(elf.R_X86_64_PC32), uint32(elf.R_X86_64_32), uint32(elf.R_X86_64_SIZE32))
	set(relocTLS, uint32(elf.R_X86_64_DTPMOD64), uint32(elf.R_X86_64_DTPOFF64), uint32(elf.R_X86_64_TPOFF64))
	set(relocTLSDesc, uint32(elf.R_X86_64_TLSDESC))
	set(relocIndirect, uint32(elf.R_X86_64_IRELATIVE))
	return kinds
}

// checkSymbols looks at names and addresses of the symbols, and notes of what
// sort each is, for the relocations.
func (d *dynamic) checkSymbols() error {
	var tls segment
	for _, seg := range d.others {
		if seg.kind == elf.PT_TLS {
			tls = seg
		}
	}
	low, high := d.extent()
	var code segment // where the last function was
	d.sorts = make([]symbolSort, 0, d.symCount)
	return d.records("the symbols", d.symOff, d.symCount, symSize, func(rec []byte) error {
		sym := symbol{name: binary.LittleEndian.Uint32(rec), kind: elf.SymType(rec[4] & 0xf), section: elf.SectionIndex(binary.LittleEndian.Uint16(rec[6:])),
			value: binary.LittleEndian.Uint64(rec[8:]), size: binary.LittleEndian.Uint64(rec[16:])}
		d.sorts = append(d.sorts, symbolSort{value: sym.value, kind: sym.kind, undefined: sym.section == elf.SHN_UNDEF, absolute: sym.section == elf.SHN_ABS})
		if uint64(sym.name) >= uint64(len(d.strings)) {
			return corrupt("a name for each symbol", fmt.Sprintf("one at %#x of %#x", sym.name, len(d.strings)))
		}
		if sym.section == elf.SHN_UNDEF || sym.section == elf.SHN_ABS {
			return nil
		}
		ok := sym.value >= low && sym.value <= high
		switch sym.kind {
		case elf.STT_TLS:
			ok = sym.value <= tls.memsz && sym.size <= tls.memsz-sym.value
		case elf.STT_FUNC, elf.STT_GNU_IFUNC:
			if sym.value < code.addr || sym.value-code.addr >= code.memsz {
				seg := d.load(sym.value)
				if ok = seg != nil && seg.flags&elf.PF_X != 0; ok {
					code = *seg
				}
			}
		}
		if !ok {
			name, _ := cstring(d.strings, uint64(sym.name))
			return corrupt("symbols inside loaded segments", fmt.Sprintf("%v %q at %#x", sym.kind, name, sym.value))
		}
		return nil
	})
}

// symbolSort is what matters of a symbol to a relocation.
type symbolSort struct {
	value     uint64
	kind      elf.SymType
	undefined bool
	absolute  bool // no address
}

// extent returns the addresses from which on and up to which the file is mapped.
func (d *dynamic) extent() (low, high uint64) {
	if n := len(d.loads); n > 0 {
		low, high = d.loads[0].addr, d.loads[n-1].addr+d.loads[n-1].memsz
	}
	return low, high
}

// maxAddend is how far from a variable of another file, of a size that is not
// known, an address may lead: compilers for shared libraries reach no further.
const maxAddend = 1 << 31

// relocCheck goes through the relocations of a file.
type relocCheck struct {
	*dynamic
	kinds   [2048]relocKind
	marks   [][]uint64 // for each loaded segment, a bit for each byte of the file that was written
	slots   []section  // tables of addresses
	called  []uint64   // a bit for each symbol that has a slot for calls
	last    int        // the loaded segment of the last place
	hasTLS  bool       // the file has thread-local variables
	textRel bool       // code is made writable meanwhile
	calls   bool       // the table is the one that code for calls counts on
	low     uint64
	high    uint64
}

// checkRelocations looks at every place that is written, and at what is written
// there as far as the file tells.
func (d *dynamic) checkRelocations() error {
	_, textRel := d.tags[elf.DT_TEXTREL]
	c := &relocCheck{dynamic: d, kinds: relocKinds(d.machine), marks: make([][]uint64, len(d.loads)), called: make([]uint64, d.symCount/64+1)}
	c.textRel = textRel || elf.DynFlag(d.tags[elf.DT_FLAGS])&elf.DF_TEXTREL != 0
	c.hasTLS = slices.ContainsFunc(d.others, func(s segment) bool { return s.kind == elf.PT_TLS })
	c.low, c.high = d.extent()
	for i, seg := range d.loads {
		if seg.flags&elf.PF_W != 0 || c.textRel {
			c.marks[i] = make([]uint64, seg.filesz/64+2)
		}
	}
	for _, s := range d.sections {
		if strings.HasPrefix(s.name, ".got") && s.flags&elf.SHF_ALLOC != 0 {
			c.slots = append(c.slots, s)
		}
	}
	if err := c.packed(); err != nil {
		return err
	}
	rela, n, err := d.otherRelocations()
	if err != nil {
		return err
	}
	if err := c.table("relocations", rela, n, d.tags[elf.DT_RELACOUNT]); err != nil {
		return err
	}
	c.calls = true
	return c.table("relocations of calls", d.tags[elf.DT_JMPREL], d.tags[elf.DT_PLTRELSZ], 0)
}

// otherRelocations returns the table of those that are not for calls, of which
// some linkers make the others the end.
func (d *dynamic) otherRelocations() (rela, n uint64, err error) {
	addr, size := d.tags[elf.DT_JMPREL], d.tags[elf.DT_PLTRELSZ]
	if s := d.sectionNamed(".rela.plt"); s != nil && s.flags&elf.SHF_ALLOC != 0 && s.size > 0 {
		if err := d.sameTable("relocations of calls", s, addr, size); err != nil {
			return 0, 0, err
		}
	}
	rela, n = d.tags[elf.DT_RELA], d.tags[elf.DT_RELASZ]
	if size == 0 || addr-rela >= n {
		return rela, n, nil
	}
	if addr+size != rela+n || (addr-rela)%relaSize != 0 {
		return 0, 0, corrupt("relocations of calls at the end of the others, or outside of them",
			fmt.Sprintf("%#x bytes at %#x in %#x bytes at %#x", size, addr, n, rela))
	}
	return rela, addr - rela, nil
}

// table looks at one table. Its first so many relocations must be relative,
// since the dynamic linker takes them for such unseen.
func (c *relocCheck) table(what string, addr, size, relative uint64) error {
	off, ok := c.fileOffset(addr, size)
	if size == 0 {
		return nil
	}
	if !ok || size%relaSize != 0 || relative > size/relaSize || !c.mapped(addr, size, elf.PF_R) {
		return corrupt(fmt.Sprintf("%s of %d bytes inside a loaded segment", what, relaSize),
			fmt.Sprintf("%#x bytes at %#x, of which %d are relative", size, addr, relative))
	}
	return c.chunks(what, off, size/relaSize, relaSize, func(buf []byte) error {
		for ; len(buf) >= relaSize; buf = buf[relaSize:] { // a driver has a hundred thousand
			place, info, addend := binary.LittleEndian.Uint64(buf), binary.LittleEndian.Uint64(buf[8:]), binary.LittleEndian.Uint64(buf[16:])
			if relative > 0 {
				relative--
				if info>>32 != 0 || c.kind(info) != relocRelative {
					return corrupt("relative relocations first, as DT_RELACOUNT says", fmt.Sprintf("type %d at %#x", uint32(info), place))
				}
			}
			if err := c.one(place, info, addend); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *relocCheck) kind(info uint64) relocKind {
	if t := uint32(info); t < uint32(len(c.kinds)) {
		return c.kinds[t]
	}
	return relocBad
}

func (c *relocCheck) one(place, info, addend uint64) error {
	kind, sym := c.kind(info), info>>32
	size := uint64(8)
	switch kind {
	case relocNone:
		if c.calls {
			return corrupt("relocations of calls that write an address", fmt.Sprintf("type %d at %#x", uint32(info), place))
		}
		return nil
	case relocTLSDesc:
		size = 16
	case relocWord:
		size = 4
	}
	if kind == relocBad || !c.target(kind, place, sym, addend) {
		return corrupt("relocations that the dynamic linker can follow",
			fmt.Sprintf("type %d at %#x, symbol %d of %d, addend %#x", uint32(info), place, sym, c.symCount, addend))
	}
	if !c.write(place, size) {
		return corrupt("relocations of writable places, each of one of its own",
			fmt.Sprintf("type %d at %#x", uint32(info), place))
	}
	return nil
}

// target reports whether what is to be written can be found.
func (c *relocCheck) target(kind relocKind, place, sym, addend uint64) bool {
	if kind == relocRelative {
		return sym == 0 && c.reaches(addend)
	}
	if kind == relocIndirect {
		return sym == 0 && c.executable(addend)
	}
	if sym >= c.symCount {
		return false
	}
	s := c.sorts[sym]
	switch kind {
	case relocAbsolute:
		if s.undefined && c.isCalled(place) {
			c.foreign[place] = true
		}
		if s.undefined || s.absolute {
			return int64(addend) > -maxAddend && int64(addend) < maxAddend
		}
		return c.reaches(s.value + addend)
	case relocTLS, relocTLSDesc:
		own := sym == 0 || s.kind == elf.STT_SECTION && !s.undefined
		return own && c.hasTLS || s.kind == elf.STT_TLS
	case relocSlot, relocCall:
		if addend != 0 || place%8 != 0 || !c.isSlot(place) {
			return false
		}
		if kind == relocCall {
			seen := c.called[sym/64] >> (sym % 64) & 1
			c.called[sym/64] |= 1 << (sym % 64)
			return seen == 0 && (s.undefined || s.kind == elf.STT_FUNC || s.kind == elf.STT_NOTYPE || s.kind == elf.STT_GNU_IFUNC)
		}
	}
	return true
}

// reaches reports whether an address is one in the file, or just behind it.
func (c *relocCheck) reaches(addr uint64) bool { return addr-c.low <= c.high-c.low+pageMax }

// isCalled reports whether a place is in a list of functions to be called.
func (c *relocCheck) isCalled(place uint64) bool {
	return place-c.tags[elf.DT_INIT_ARRAY] < c.tags[elf.DT_INIT_ARRAYSZ] || place-c.tags[elf.DT_FINI_ARRAY] < c.tags[elf.DT_FINI_ARRAYSZ]
}

func (c *relocCheck) isSlot(place uint64) bool {
	for i := range c.slots {
		if s := &c.slots[i]; place >= s.addr && place-s.addr < s.size {
			return true
		}
	}
	return len(c.slots) == 0
}

// write notes that n bytes are written, and reports whether they are there to be
// written, and nothing else has written them: not the dynamic linker's own table
// nor what another relocation wrote.
func (c *relocCheck) write(place, n uint64) bool {
	seg := &c.loads[c.last]
	if place < seg.addr || place-seg.addr >= seg.memsz {
		c.last = 0
		for place >= c.loads[c.last].addr+c.loads[c.last].memsz {
			if c.last++; c.last == len(c.loads) {
				c.last = 0
				return false
			}
		}
		seg = &c.loads[c.last]
	}
	marks, at := c.marks[c.last], place-seg.addr
	if marks == nil || place < seg.addr || at > seg.memsz || n > seg.memsz-at {
		return false
	}
	if place+n > c.dynamicAddr() && place < c.dynamicAddr()+c.image.dynamic.memsz {
		return false
	}
	if at+n > seg.filesz {
		return true // zeros behind the file's bytes, which may be many
	}
	word, shift, mask := at/64, at%64, uint64(1)<<n-1
	taken := marks[word] & (mask << shift)
	marks[word] |= mask << shift
	if spill := mask >> (64 - shift); shift+n > 64 {
		taken |= marks[word+1] & spill
		marks[word+1] |= spill
	}
	return taken == 0
}

func (d *dynamic) dynamicAddr() uint64 { return d.image.dynamic.addr }

// packed looks at relative relocations in the short form: an address, and then
// bits for each of the 63 words behind it, or an address again.
func (c *relocCheck) packed() error {
	addr, size := c.tags[dtRelr], c.tags[dtRelrSize]
	off, ok := c.fileOffset(addr, size)
	if size == 0 {
		return nil
	}
	if !ok || size%8 != 0 || !c.mapped(addr, size, elf.PF_R) {
		return corrupt("packed relocations inside a loaded segment", fmt.Sprintf("%#x bytes at %#x", size, addr))
	}
	where, begun := uint64(0), false
	return c.records("the packed relocations", off, size/8, 8, func(rec []byte) error {
		word := c.order.Uint64(rec)
		if word&1 == 0 {
			where, begun = word+8, true
			if !c.write(word, 8) {
				return corrupt("packed relocations of writable places, each of one of its own", fmt.Sprintf("one at %#x", word))
			}
			return nil
		}
		for rest := word >> 1; rest != 0 || !begun; rest &= rest - 1 {
			place := where + 8*uint64(bits.TrailingZeros64(rest))
			if !begun || !c.write(place, 8) {
				return corrupt("packed relocations of writable places, each of one of its own", fmt.Sprintf("one at %#x", place))
			}
		}
		where += 63 * 8
		return nil
	})
}
