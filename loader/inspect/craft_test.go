package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// craft lays out a tiny plugin by hand: one mapped segment with every table
// that the reader looks at. Tests bend one field at a time; the fuzzer starts
// from it, as a real plugin of a megabyte is too much to mutate.
type craft struct {
	machine  elf.Machine
	mode     string
	path     string // plugin path, as moduledata has it
	prefix   string // what symbol names begin with
	manifest string
	base     uint64 // address of the segment; its offset in the file is 0
	reloc    string // how the manifest is reached: "relative", "symbol", "inplace" "interface" or "none"
	edit     func(b []byte, at map[string]uint64)
}

func newCraft() craft {
	return craft{
		machine: elf.EM_X86_64, mode: "plugin", path: "example.com/dr%2ev2", prefix: "example.com/dr%2ev2",
		manifest: `{"name":"x"}`, base: craftBase, reloc: "relative",
	}
}

const craftBase = 0x10000 // where newCraft puts the segment

// bytes returns the file. Offsets of the tables are handed to edit by name.
func (c craft) bytes() []byte {
	le := binary.LittleEndian
	at := map[string]uint64{}
	body := make([]byte, 64+2*56)
	put := func(name string, data []byte) uint64 {
		for len(body)%16 != 0 {
			body = append(body, 0)
		}
		at[name] = uint64(len(body))
		body = append(body, data...)
		return at[name] + c.base
	}
	words := func(values ...uint64) (out []byte) {
		for _, v := range values {
			out = le.AppendUint64(out, v)
		}
		return out
	}

	strs := []byte{0}
	name := func(s string) uint32 {
		off := len(strs)
		strs = append(append(strs, s...), 0)
		return uint32(off)
	}
	libc := name("libc.so.6")
	var syms []byte
	sym := func(n string, kind elf.SymType, value, size uint64) {
		rec := make([]byte, 24)
		le.PutUint32(rec, name(n))
		rec[4] = byte(elf.STB_GLOBAL)<<4 | byte(kind)
		le.PutUint16(rec[6:], 1)
		le.PutUint64(rec[8:], value)
		le.PutUint64(rec[16:], size)
		syms = append(syms, rec...)
	}
	syms = append(syms, make([]byte, 24)...)

	prints := put("prints", []byte("fprunmaifprdriv1"))
	text := put("text", []byte(c.manifest))
	pathText := put("path", []byte(c.path))
	inPlace := uint64(0)
	if c.reloc == "inplace" {
		inPlace = text
	}
	header := put("header", words(inPlace, uint64(len(c.manifest))))
	// Two things that look like the path come first: a text that is no package,
	// and a package that no slice of fingerprints follows.
	decoy := put("decoy", []byte("runtime"))
	moddata := put("moduledata", words(c.base+64, 4, 0, 2, 2, decoy, 7, 0, 5, 2, 0, uint64(len(c.path)), 0, 2, 2, 5))
	mode := fmt.Sprintf("path\texample.com/dr.v2\nmod\texample.com/dr.v2\t(devel)\t\nbuild\t-buildmode=%s\nbuild\tGOARCH=%s\nbuild\tGOOS=linux\n",
		c.mode, goarchOf[c.machine])
	mod := "0123456789abcdef" + mode + "fedcba9876543210"
	info := append([]byte(infoMagic), 8, 2)
	info = append(info, make([]byte, 16)...)
	info = append(append(info, 8), "go1.26.8"...)
	info = append(binary.AppendUvarint(info, uint64(len(mod))), mod...)
	put("buildinfo", info)

	sym("go:link.pkghashbytes.runtime", elf.STT_OBJECT, prints, 8)
	sym("go:link.pkghashbytes.example.com/dr.v2", elf.STT_OBJECT, prints+8, 8)
	sym(c.prefix+".DriverManifest", elf.STT_OBJECT, header, 16)
	sym(c.prefix+".NewDriver", elf.STT_FUNC, c.base+0x40, 8)
	sym(c.prefix+".NewDriver.func1", elf.STT_FUNC, c.base+0x40, 8)
	sym(c.prefix+".helper", elf.STT_FUNC, c.base+0x40, 8)
	sym("text", elf.STT_OBJECT, text-3, 8)

	relative, absolute := uint64(elf.R_X86_64_RELATIVE), uint64(elf.R_X86_64_64)
	if c.machine == elf.EM_AARCH64 {
		relative, absolute = uint64(elf.R_AARCH64_RELATIVE), uint64(elf.R_AARCH64_ABS64)
	}
	rela := words(moddata+10*8, relative, pathText, moddata+12*8, relative, prints)
	switch c.reloc {
	case "relative":
		rela = append(rela, words(header, relative, text)...)
	case "symbol":
		rela = append(rela, words(header, 7<<32|absolute, 3)...)
	case "interface":
		rela = append(rela, words(header, relative, text, header+8, relative, text)...)
	}
	symAddr, strAddr, relaAddr := put("dynsym", syms), put("dynstr", strs), put("rela", rela)
	dyn := words(uint64(elf.DT_NEEDED), uint64(libc), uint64(elf.DT_SYMTAB), symAddr, uint64(elf.DT_STRTAB), strAddr,
		uint64(elf.DT_STRSZ), uint64(len(strs)), uint64(elf.DT_SYMENT), 24, uint64(elf.DT_RELA), relaAddr,
		uint64(elf.DT_RELASZ), uint64(len(rela)), uint64(elf.DT_RELAENT), 24, 0, 0)
	dynAddr := put("dynamic", dyn)
	mapped := uint64(len(body))

	type sec struct {
		name       string
		kind       elf.SectionType
		table      string
		size, link uint64
	}
	secs := []sec{
		{}, {".dynsym", elf.SHT_DYNSYM, "dynsym", uint64(len(syms)), 2}, {".dynstr", elf.SHT_STRTAB, "dynstr", uint64(len(strs)), 0},
		{".rela.dyn", elf.SHT_RELA, "rela", uint64(len(rela)), 1}, {".dynamic", elf.SHT_DYNAMIC, "dynamic", uint64(len(dyn)), 2},
		{".go.buildinfo", elf.SHT_PROGBITS, "buildinfo", uint64(len(info)), 0},
		{".go.module", elf.SHT_PROGBITS, "moduledata", 16 * 8, 0}, {".shstrtab", elf.SHT_STRTAB, "shstrtab", 0, 0},
	}
	var names []byte
	offs := make([]uint32, len(secs))
	for i, s := range secs {
		offs[i] = uint32(len(names))
		names = append(append(names, s.name...), 0)
	}
	put("shstrtab", names)
	secs[len(secs)-1].size = uint64(len(names))
	var table bytes.Buffer
	for i, s := range secs {
		hdr := elf.Section64{Name: offs[i], Type: uint32(s.kind), Off: at[s.table], Size: s.size, Link: uint32(s.link)}
		if i > 0 {
			hdr.Addr = at[s.table] + c.base
		}
		_ = binary.Write(&table, le, hdr)
	}
	put("sections", table.Bytes())

	var head bytes.Buffer
	ident := [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}
	_ = binary.Write(&head, le, elf.Header64{Ident: ident, Type: uint16(elf.ET_DYN), Machine: uint16(c.machine), Version: 1,
		Phoff: 64, Shoff: at["sections"], Ehsize: 64, Phentsize: 56, Phnum: 2, Shentsize: 64,
		Shnum: uint16(len(secs)), Shstrndx: uint16(len(secs) - 1)})
	_ = binary.Write(&head, le, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 7, Vaddr: c.base, Filesz: mapped, Memsz: mapped + 64, Align: craftBase})
	_ = binary.Write(&head, le, elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Off: at["dynamic"], Vaddr: dynAddr,
		Filesz: uint64(len(dyn)), Memsz: uint64(len(dyn))})
	copy(body, head.Bytes())
	if c.edit != nil {
		c.edit(body, at)
	}
	return body
}
