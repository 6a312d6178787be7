package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Limits on what a file can make the reader keep; libc.so.6 has some 40 versions.
const (
	maxVersions    = 4096
	maxVersionName = 256
)

// Sizes of the records of symbol versions. A list is a chain of records, each
// with a list of its own.
const (
	verneedSize = 16
	vernauxSize = 16
	verdefSize  = 20
	verdauxSize = 8
	weakVersion = 2 // flag: the dynamic linker does not insist
)

// readLinking fills in what the dynamic linker will look for, and what it will
// offer to others.
func (d *dynamic) readLinking(f *Facts) error {
	f.Needed = append(f.Needed, d.needed...)
	var err error
	if f.RunPath, f.RPath, err = d.runPath(); err != nil {
		return err
	}
	if f.Versions, err = d.neededVersions(); err != nil {
		return err
	}
	f.Symbolic = d.symbolic()
	if f.Sanitizers, err = d.sanitizers(); err != nil {
		return err
	}
	return d.readC(f)
}

// readC fills in what the file has of C.
func (d *dynamic) readC(f *Facts) error {
	budget := 4 * len(d.strings) // linkers let a name stand in another one's tail
	calls := map[string][]string{}
	var symbols []uint64 // of CFunctions
	err := d.cFunctions(func(text []byte, symbol uint64) error {
		if budget -= len(text); budget < 0 {
			return corrupt("a string table that holds each name once", "names that lie over each other")
		}
		name := string(text)
		if m := cgoCall.FindStringSubmatch(name); m != nil {
			calls[m[1]] = append(calls[m[1]], m[2])
		} else if !ofToolchain(name) {
			f.CFunctions = append(f.CFunctions, name)
			symbols = append(symbols, symbol)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := d.readImports(f, symbols); err != nil {
		return err
	}
	slices.Sort(f.CFunctions)
	f.CFunctions = slices.Compact(f.CFunctions)
	for mark, names := range calls {
		if slices.ContainsFunc(names, func(name string) bool { _, ok := slices.BinarySearch(f.CFunctions, name); return ok }) {
			f.CPackages = append(f.CPackages, mark)
		}
	}
	slices.Sort(f.CPackages)
	return nil
}

// readImports fills in which of CFunctions, that have these symbols, a
// relocation asks for by name. The others are called where they are.
func (d *dynamic) readImports(f *Facts, symbols []uint64) error {
	if len(symbols) == 0 {
		return nil
	}
	asked := make([]bool, d.symCount)
	for _, tags := range [][2]elf.DynTag{{elf.DT_RELA, elf.DT_RELASZ}, {elf.DT_JMPREL, elf.DT_PLTRELSZ}} {
		addr, size := d.tags[tags[0]], d.tags[tags[1]]
		off, ok := d.fileOffset(addr, size)
		if !ok && size > 0 {
			return corrupt("relocations inside a loaded segment", fmt.Sprintf("%#x bytes at %#x", size, addr))
		}
		err := d.chunks("the relocations", off, size/relaSize, relaSize, func(buf []byte) error {
			for ; len(buf) >= relaSize; buf = buf[relaSize:] {
				if sym := binary.LittleEndian.Uint64(buf[8:]) >> 32; sym < d.symCount {
					asked[sym] = true
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i, sym := range symbols {
		if asked[sym] {
			f.CImports = append(f.CImports, f.CFunctions[i])
		}
	}
	slices.Sort(f.CImports)
	f.CImports = slices.Compact(f.CImports)
	return nil
}

// cgoCall is a function that cgo makes for a call of C, with the mark of the
// package, a hash of its sources.
var cgoCall = regexp.MustCompile(`^_cgo_([0-9a-f]{12})_C2?func_(.+)$`)

// runPath returns the directories of DT_RUNPATH, for which DT_RPATH is ignored
// by the dynamic linker, too, and reports whether they are those of DT_RPATH.
func (d *dynamic) runPath() (dirs []string, rpath bool, err error) {
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		off, ok := d.tags[tag]
		if !ok {
			continue
		}
		text, ok := cstring(d.strings, off)
		if !ok {
			return nil, false, corrupt("a text for "+tag.String(), fmt.Sprintf("none at %#x", off))
		}
		return strings.Split(text, ":"), tag == elf.DT_RPATH, nil
	}
	return []string{}, false, nil
}

// symbolic reports whether the file's references to its own symbols stay its
// own, whatever was loaded before it.
func (d *dynamic) symbolic() bool {
	_, ok := d.tags[elf.DT_SYMBOLIC]
	return ok || elf.DynFlag(d.tags[elf.DT_FLAGS])&elf.DF_SYMBOLIC != 0
}

// cFunctions calls each with name and symbol of every function that the file defines
// for all, and that a C compiler can have named: Go's names have a dot. The
// assembler of the standard library and of others makes names without one, among
// Go's code, which a linker leaves in one piece.
func (d *dynamic) cFunctions(each func(name []byte, symbol uint64) error) error {
	type function struct {
		name          []byte
		value, symbol uint64
	}
	var found []function
	next := uint64(0)
	first, last := uint64(math.MaxUint64), uint64(0) // of Go's code
	err := d.records("the symbols", d.symOff, d.symCount, symSize, func(rec []byte) error {
		index := next
		next++
		if rec[4] != byte(elf.STB_GLOBAL)<<4|byte(elf.STT_FUNC) { // most of the time goes here
			return nil
		}
		sym := d.symbol(rec)
		if sym.section == elf.SHN_UNDEF || uint64(sym.name) >= uint64(len(d.strings)) {
			return nil
		}
		text := d.strings[sym.name:]
		if name := identifier(text); name != nil {
			found = append(found, function{name, sym.value, index})
		} else if goNamed(text) {
			first, last = min(first, sym.value), max(last, sym.value)
		}
		return nil
	})
	for _, f := range found {
		if err == nil && (f.value < first || f.value > last) {
			err = each(f.name, f.symbol)
		}
	}
	return err
}

// goNamed reports whether the name at the head of a string table is one of Go's,
// which has a dot or is the linker's own. Those of C++ and Rust, with their
// marks, may have a dot too.
func goNamed(table []byte) bool {
	name := table[:min(len(table), maxName)]
	if bytes.HasPrefix(name, []byte("_ZN")) || bytes.HasPrefix(name, []byte("_R")) {
		return false
	}
	i := bytes.IndexAny(name, ".\x00")
	return i >= 0 && name[i] == '.' || bytes.HasPrefix(name, []byte("go:"))
}

// identifier returns the C identifier at the head of a string table, or nil if
// the text there is none.
func identifier(table []byte) []byte {
	for i, c := range table[:min(len(table), maxName)] {
		if !inIdentifier[c] {
			if c != 0 || i == 0 {
				return nil
			}
			return table[:i]
		}
	}
	return nil
}

var inIdentifier = func() (in [256]bool) {
	for _, c := range []byte("_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		in[c] = true
	}
	return in
}()

// toolchainNames are those of functions that come with the Go or the C
// toolchain, and so are in files that know nothing of each other. Names with
// two underscores, C++ namespaces too, are the C compiler's, those of the
// sanitizers among them.
var toolchainNames = regexp.MustCompile(`^(_cgo.*|x_cgo_.*|x_crosscall.*|crosscall.*|_rt0_.*|__.*|_ZNK?\d+__.*|_init|_fini|_start|main|fatalf)$`)

func ofToolchain(name string) bool { return toolchainNames.MatchString(name) }

// neededVersions reads DT_VERNEED: a record for each library with a list of the
// versions that are needed of it.
func (d *dynamic) neededVersions() ([]SymbolVersion, error) {
	versions := []SymbolVersion{}
	err := d.chain(elf.DT_VERNEED, elf.DT_VERNEEDNUM, verneedSize, func(rec []byte, addr uint64) error {
		library, err := d.versionName(d.order.Uint32(rec[4:]))
		if err != nil {
			return err
		}
		count, at := uint64(d.order.Uint16(rec[2:])), addr+uint64(d.order.Uint32(rec[8:]))
		return d.links(at, count, vernauxSize, 12, func(aux []byte, _ uint64) error {
			if d.order.Uint16(aux[4:])&weakVersion != 0 {
				return nil
			}
			name, err := d.versionName(d.order.Uint32(aux[8:]))
			versions = append(versions, SymbolVersion{library, name})
			if err == nil && len(versions) > maxVersions {
				err = corrupt(fmt.Sprintf("at most %d symbol versions", maxVersions), "more")
			}
			return err
		})
	}, 12)
	return versions, err
}

// definedVersions reads DT_VERDEF: a record for each version, the name of which
// is the first of the record's list.
func (d *dynamic) definedVersions() (map[string]bool, error) {
	versions := map[string]bool{}
	err := d.chain(elf.DT_VERDEF, elf.DT_VERDEFNUM, verdefSize, func(rec []byte, addr uint64) error {
		at := addr + uint64(d.order.Uint32(rec[12:]))
		return d.links(at, 1, verdauxSize, 4, func(aux []byte, _ uint64) error {
			name, err := d.versionName(d.order.Uint32(aux))
			versions[name] = true
			return err
		})
	}, 16)
	return versions, err
}

func (d *dynamic) versionName(off uint32) (string, error) {
	name, ok := cstring(d.strings, uint64(off))
	if !ok || len(name) > maxVersionName {
		return "", corrupt("names of symbol versions", fmt.Sprintf("none at %#x", off))
	}
	return name, nil
}

// chain walks the records that one tag of the dynamic table leads to and
// another one counts.
func (d *dynamic) chain(table, count elf.DynTag, size uint64, each func(rec []byte, addr uint64) error, next int) error {
	addr, ok := d.tags[table]
	if !ok {
		return nil
	}
	n := d.tags[count]
	if n > maxVersions {
		return corrupt(fmt.Sprintf("at most %d symbol versions", maxVersions), fmt.Sprintf("%d", n))
	}
	return d.links(addr, n, size, next, each)
}

// links calls each with count records of which every one says, at the byte
// next, how far away the following is; the last says 0.
func (d *dynamic) links(addr, count, size uint64, next int, each func(rec []byte, addr uint64) error) error {
	rec := make([]byte, size)
	for ; count > 0; count-- {
		// Chains of a forged file may lead through each other.
		if d.steps++; d.steps > 4*maxVersions {
			return corrupt(fmt.Sprintf("at most %d symbol versions", maxVersions), "more")
		}
		if ok, err := d.readAddr(rec, addr); err != nil {
			return err
		} else if !ok {
			return corrupt("symbol versions inside the file", fmt.Sprintf("one at %#x", addr))
		}
		if err := each(rec, addr); err != nil {
			return err
		}
		step := uint64(d.order.Uint32(rec[next:]))
		if step == 0 {
			return nil
		}
		addr += step
	}
	return nil
}
