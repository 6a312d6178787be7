// Package badfiles makes bad driver files of a good one, for tests and as seeds
// for fuzzing: files that are cut, files with zeros in them, and files whose
// headers and tables were written by somebody who means harm.
package badfiles

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Damage is one way to spoil a driver file.
type Damage struct {
	// Family is the kind of damage and Name the place; together they are
	// unique.
	Family, Name string
	// By says who is to find the damage.
	By Finder
	// Found is a part of what a reader says that it has found, or "".
	Found string

	apply func(file []byte) []byte
}

// Finder is who is to find a damage.
type Finder int

// The finders, in their order.
const (
	// Reader reads the file.
	Reader Finder = iota
	// Comparison compares what was read with a host.
	Comparison
	// Opening lets the dynamic linker have the file, and may end the process.
	// A reader that finds such a damage is all the better.
	Opening
)

// Apply returns a damaged copy of the file that the damage was made for.
func (d Damage) Apply(file []byte) []byte { return d.apply(bytes.Clone(file)) }

// Of returns all damages that can be done to a file, which must be an ELF file
// of 64 bits in little-endian order with the tables of a shared library. A
// section, an entry or a symbol that the file does not have is left out.
func Of(file []byte) []Damage {
	l := layoutOf(file)
	var all []Damage
	for _, family := range []func(*layout) []Damage{
		truncated, zeroed, headers, segments, sectionTable, outOfRange, overlapping, dynamicTable, symbols, relocations, manifestPointers, buildInfo,
	} {
		all = append(all, family(l)...)
	}
	return all
}

// Foreign are files that are no ELF files, or only begin like one.
func Foreign() []Damage {
	var all []Damage
	for _, f := range []struct{ name, content, found string }{
		{"a word", "x", "begins with 78"},
		{"text", "name: driver\n", "begins with 6e 61 6d 65"},
		{"script", "#!/bin/sh\nexit 0\n", "a script"},
		{"JSON", `{"name":"x","version":"1.0.0","contract":{"name":"sql","version":"^1.0"}}`, "begins with 7b"},
		{"web page", "<!DOCTYPE html><title>404</title>", "begins with 3c"},
		{"UTF-16", "\xff\xfe\x7f\x00E\x00L\x00F\x00", "begins with ff fe"},
		{"Windows program", "MZ\x90\x00\x03" + zeros(200), "a Windows program"},
		{"macOS binary", "\xcf\xfa\xed\xfe\x07\x00\x00\x01" + zeros(200), "a macOS binary"},
		{"macOS universal binary", "\xca\xfe\xba\xbe\x00\x00\x00\x02" + zeros(200), "a macOS universal binary"},
		{"WebAssembly", "\x00asm\x01\x00\x00\x00", "begins with 00 61 73 6d"},
		{"archive", "!<arch>\n__.PKGDEF       0           0     0     644     10        `\n", "an archive"},
		{"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "a gzip file"},
		{"zip", "PK\x03\x04\x14\x00", "a zip file"},
		{"zeros", zeros(64 << 10), "begins with 00 00 00 00"},
		{"half the magic", "\x7fEL", "begins with 7f 45 4c"},
		{"magic and zeros", "\x7fELF" + zeros(4096), "byte order 0"},
		{"magic twice", "\x7fELF\x7fELF\x7fELF\x7fELF" + zeros(4096), "byte order 69"},
		{"magic and 0xff", "\x7fELF\x02\x01\x01" + string(bytes.Repeat([]byte{0xff}, 4096)), "ELF file of type ET_HIPROC"},
	} {
		all = append(all, Damage{Family: "not ELF", Name: f.name, Found: f.found, apply: func([]byte) []byte { return []byte(f.content) }})
	}
	return all
}

func zeros(n int) string { return string(make([]byte, n)) }

// group collects damages of one family.
type group struct {
	family string
	all    []Damage
}

func (g *group) add(name, found string, apply func(b []byte) []byte) {
	g.all = append(g.all, Damage{Family: g.family, Name: name, Found: found, apply: apply})
}

// onOpening says of the damages that were added last that only opening the
// file need show them.
func (g *group) onOpening(last int) {
	for i := len(g.all) - last; i < len(g.all); i++ {
		g.all[i].By = Opening
	}
}

// put adds one that writes a value of 1, 2, 4 or 8 bytes over what is there.
func (g *group) put(name, found string, off uint64, width int, value uint64) {
	g.add(name, found, func(b []byte) []byte {
		word := binary.LittleEndian.AppendUint64(nil, value)
		copy(b[off:], word[:width])
		return b
	})
}

// edit is a value for put, with a name.
type edit struct {
	name, found string
	off         uint64
	width       int
	value       uint64
	open        bool
}

func (g *group) puts(edits ...edit) {
	for _, e := range edits {
		g.put(e.name, e.found, e.off, e.width, e.value)
		if e.open {
			g.onOpening(1)
		}
	}
}

func (g *group) zero(name, found string, off, size uint64) {
	g.add(name, found, func(b []byte) []byte {
		clear(b[off : off+size])
		return b
	})
}

func (g *group) cut(at uint64, name string) {
	found := fmt.Sprintf("a file of %d bytes", at)
	if at < elf.EI_NIDENT {
		found = "a file that begins with 7f"
	}
	g.add(fmt.Sprintf("%s, at %#x", name, at), found, func(b []byte) []byte { return b[:at] })
}
