package inspect

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// relocated returns the n bytes at an address as they will be once the dynamic
// linker has placed the file at address zero. A word that depends on another
// file is left as it stands. ok is false if the bytes are not mapped.
func (d *dynamic) relocated(addr, n uint64) (mem []byte, ok bool, err error) {
	mem = make([]byte, n)
	if ok, err = d.readAddr(mem, addr); !ok || err != nil {
		return nil, false, err
	}
	err = d.chunks("the relocations", d.relaOff, d.relaCount, relaSize, func(buf []byte) error {
		for ; len(buf) >= relaSize; buf = buf[relaSize:] {
			// The machines whose relocations are known have one byte order.
			at := binary.LittleEndian.Uint64(buf) - addr // a place below addr wraps and is out of reach
			if at >= n || n-at < 8 {
				continue
			}
			info, addend := d.order.Uint64(buf[8:]), d.order.Uint64(buf[16:])
			value, known, err := d.target(uint32(info), info>>32, addend)
			if err != nil {
				return err
			}
			if known {
				d.order.PutUint64(mem[at:], value)
			}
		}
		return nil
	})
	return mem, true, err
}

// target works out a relocation of the two kinds that a Go linker makes for a
// pointer in data: to a place in the file, or to a symbol. Which one it is
// depends on whether the linker saw the symbol as local.
func (d *dynamic) target(kind uint32, sym, addend uint64) (value uint64, known bool, err error) {
	relative, absolute := uint32(elf.R_X86_64_RELATIVE), uint32(elf.R_X86_64_64)
	if d.machine == elf.EM_AARCH64 {
		relative, absolute = uint32(elf.R_AARCH64_RELATIVE), uint32(elf.R_AARCH64_ABS64)
	}
	switch {
	case kind == relative:
		return addend, true, nil
	case kind != absolute || sym == 0:
		return 0, false, nil
	case sym >= d.symCount:
		return 0, false, corrupt("relocations against known symbols", fmt.Sprintf("one against symbol %d of %d", sym, d.symCount))
	}
	rec := make([]byte, symSize)
	if err := d.readAt(rec, d.symOff+sym*symSize); err != nil {
		return 0, false, err
	}
	s := d.symbol(rec)
	if s.section == elf.SHN_UNDEF {
		return 0, false, nil
	}
	return s.value + addend, true, nil
}
