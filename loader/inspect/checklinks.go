package inspect

import (
	"debug/elf"
	"fmt"
	"slices"
)

// checkHashes looks at the tables by which names are found. A chain that leads
// out of its table is followed into what is not mapped, and one that leads back
// is followed for ever.
func (d *dynamic) checkHashes() error {
	if addr, ok := d.tags[elf.DT_GNU_HASH]; ok {
		if err := d.checkGNUHash(addr); err != nil {
			return err
		}
	}
	if addr, ok := d.tags[elf.DT_HASH]; ok {
		return d.checkHash(addr)
	}
	return nil
}

// words reads n words of 4 bytes that the dynamic linker will read.
func (d *dynamic) words(what string, addr, n uint64) ([]uint32, error) {
	if n > maxTable/4 || !d.mapped(addr, n*4, elf.PF_R) {
		return nil, corrupt(what+" inside a loaded segment", fmt.Sprintf("%d words at %#x", n, addr))
	}
	buf := make([]byte, n*4)
	if _, err := d.readAddr(buf, addr); err != nil {
		return nil, err
	}
	out := make([]uint32, n)
	for i := range out {
		out[i] = d.order.Uint32(buf[i*4:])
	}
	return out, nil
}

func (d *dynamic) checkGNUHash(addr uint64) error {
	const what = "a hash table of symbols"
	head, err := d.words(what, addr, 4)
	if err != nil {
		return err
	}
	buckets, first, bloom := uint64(head[0]), uint64(head[1]), uint64(head[2])
	if bloom == 0 || bloom&(bloom-1) != 0 || head[3] > 63 {
		return corrupt(what, fmt.Sprintf("one of %d symbols from %d on, %d words to filter, shift %d", d.symCount, first, bloom, head[3]))
	}
	if _, err := d.words(what, addr+16+bloom*8-4, 1); err != nil {
		return err
	}
	heads, err := d.words(what, addr+16+bloom*8, buckets)
	if err != nil {
		return err
	}
	used := false
	for _, h := range heads {
		used = used || h != 0
		if h != 0 && (uint64(h) < first || uint64(h) >= d.symCount) {
			return corrupt("known symbols in the hash table", fmt.Sprintf("symbol %d of %d", h, d.symCount))
		}
	}
	if !used {
		return nil // a table of no symbols
	}
	chain := addr + 16 + bloom*8 + buckets*4
	last, err := d.words(what, chain+(d.symCount-first-1)*4, 1)
	if err == nil && last[0]&1 == 0 {
		err = corrupt("an end of the hash table's last chain", "none")
	}
	return err
}

func (d *dynamic) checkHash(addr uint64) error {
	const what = "a hash table of symbols"
	head, err := d.words(what, addr, 2)
	if err != nil {
		return err
	}
	buckets, symbols := uint64(head[0]), uint64(head[1])
	if symbols != d.symCount {
		return corrupt(fmt.Sprintf("a hash table of %d symbols", d.symCount), fmt.Sprintf("%d", symbols))
	}
	table, err := d.words(what, addr+8, buckets+symbols)
	if err != nil {
		return err
	}
	heads, next := table[:buckets], table[buckets:]
	seen := make([]bool, symbols)
	for _, h := range heads {
		for ; h != 0; h = next[h] {
			if uint64(h) >= symbols || seen[h] {
				return corrupt("each known symbol once in the hash table", fmt.Sprintf("symbol %d of %d", h, symbols))
			}
			seen[h] = true
		}
	}
	return nil
}

// checkVersions looks at the versions of symbols: the chains, which the dynamic
// linker follows to their ends whatever their number, and the version of each
// symbol.
func (d *dynamic) checkVersions() error {
	highest := uint16(1) // those that every file has: local and global
	index := func(n uint16) { highest = max(highest, n&0x7fff) }
	for _, c := range []struct {
		table, count elf.DynTag
		read         func(addr uint64, index func(uint16)) (uint64, error)
	}{{elf.DT_VERNEED, elf.DT_VERNEEDNUM, d.checkNeed}, {elf.DT_VERDEF, elf.DT_VERDEFNUM, d.checkDef}} {
		addr, ok := d.tags[c.table]
		for n := uint64(0); ok; n++ {
			step, err := c.read(addr, index)
			if err != nil {
				return err
			}
			if (step == 0) != (n+1 >= d.tags[c.count]) {
				return corrupt(fmt.Sprintf("%d records in %v", d.tags[c.count], c.table), "more or fewer")
			}
			addr, ok = addr+step, step != 0
		}
	}
	return d.checkVersym(highest)
}

// record reads one record of the symbol versions.
func (d *dynamic) record(addr, size uint64) ([]byte, error) {
	rec := make([]byte, size)
	if d.steps++; d.steps > 8*maxVersions {
		return nil, corrupt(fmt.Sprintf("at most %d symbol versions", maxVersions), "more")
	}
	if !d.mapped(addr, size, elf.PF_R) {
		return nil, corrupt("symbol versions inside a loaded segment", fmt.Sprintf("one at %#x", addr))
	}
	_, err := d.readAddr(rec, addr)
	return rec, err
}

// checkNeed looks at what is needed of one library, and returns how far away the
// next record is.
func (d *dynamic) checkNeed(addr uint64, index func(uint16)) (uint64, error) {
	rec, err := d.record(addr, verneedSize)
	if err != nil {
		return 0, err
	}
	library, err := d.versionName(d.order.Uint32(rec[4:]))
	if err != nil {
		return 0, err
	}
	// Another library may need it. FitIn looks, at versions that are not weak, of
	// those that the record counts.
	known, counted := slices.Contains(d.needed, library), d.order.Uint16(rec[2:])
	at := addr + uint64(d.order.Uint32(rec[8:]))
	for {
		aux, err := d.record(at, vernauxSize)
		if err != nil {
			return 0, err
		}
		if _, err := d.versionName(d.order.Uint32(aux[8:])); err != nil {
			return 0, err
		}
		index(d.order.Uint16(aux[6:]))
		if counted > 0 {
			known, counted = known || d.order.Uint16(aux[4:])&weakVersion == 0, counted-1
		}
		step := uint64(d.order.Uint32(aux[12:]))
		if step == 0 && !known {
			return 0, corrupt("symbol versions of a library that is needed", fmt.Sprintf("weak or uncounted ones of %q", library))
		}
		if step == 0 {
			return uint64(d.order.Uint32(rec[12:])), nil
		}
		at += step
	}
}

// checkDef does the same for a version that the file defines.
func (d *dynamic) checkDef(addr uint64, index func(uint16)) (uint64, error) {
	rec, err := d.record(addr, verdefSize)
	if err != nil {
		return 0, err
	}
	aux, err := d.record(addr+uint64(d.order.Uint32(rec[12:])), verdauxSize)
	if err != nil {
		return 0, err
	}
	index(d.order.Uint16(rec[4:]))
	_, err = d.versionName(d.order.Uint32(aux))
	return uint64(d.order.Uint32(rec[16:])), err
}

// checkVersym looks at the version of each symbol.
func (d *dynamic) checkVersym(highest uint16) error {
	addr, ok := d.tags[elf.DT_VERSYM]
	if !ok {
		return nil
	}
	_, needs := d.tags[elf.DT_VERNEED]
	_, defines := d.tags[elf.DT_VERDEF]
	if !needs && !defines || !d.mapped(addr, d.symCount*2, elf.PF_R) {
		return corrupt("versions for all symbols", fmt.Sprintf("%d at %#x", d.symCount, addr))
	}
	buf := make([]byte, d.symCount*2)
	if _, err := d.readAddr(buf, addr); err != nil {
		return err
	}
	for i := 0; i < len(buf); i += 2 {
		if n := d.order.Uint16(buf[i:]) & 0x7fff; n > highest {
			return corrupt(fmt.Sprintf("versions up to %d for symbols", highest), fmt.Sprintf("version %d for symbol %d", n, i/2))
		}
	}
	return nil
}
