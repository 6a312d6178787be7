package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// cstring returns the text from off to the next zero byte.
func cstring(table []byte, off uint64) (string, bool) {
	if off >= uint64(len(table)) {
		return "", false
	}
	window := table[off:min(off+maxName+1, uint64(len(table)))]
	end := bytes.IndexByte(window, 0)
	if end < 0 {
		return "", false
	}
	return string(window[:end]), true
}

// within checks that n bytes at off lie in the file.
func (img *image) within(what string, off, n uint64) error {
	if n == 0 {
		return nil // a segment of zeros only may stand anywhere
	}
	end := off + n
	if end < off {
		return corrupt("a place in the file for "+what, fmt.Sprintf("offset %#x, length %#x", off, n))
	}
	if end > img.size {
		return truncated(what, end, img.size)
	}
	return nil
}

// read returns n bytes at off, having checked both.
func (img *image) read(what string, off, n uint64) ([]byte, error) {
	if err := img.within(what, off, n); err != nil {
		return nil, err
	}
	if n > maxTable {
		return nil, &FormatError{Kind: Unsupported, Wanted: fmt.Sprintf("at most %d bytes for %s", maxTable, what),
			Found: fmt.Sprintf("%d", n)}
	}
	buf := make([]byte, n)
	return buf, img.readAt(buf, off)
}

// readAt fills buf. A reader that ends early means that the file was cut since
// its size was taken.
func (img *image) readAt(buf []byte, off uint64) error {
	n, err := img.r.ReadAt(buf, int64(off))
	switch {
	case n == len(buf):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return truncated("the file as it was measured", img.size, off+uint64(n))
	}
	return &FormatError{Kind: Unreadable, Wanted: fmt.Sprintf("%d bytes at offset %d", len(buf), off),
		Found: "an error of the reader", Err: err}
}

// readAddr fills buf with what lies at a virtual address before any relocation:
// the file's bytes, or zeros behind them. It reports whether all of it is in
// one segment.
func (img *image) readAddr(buf []byte, addr uint64) (bool, error) {
	for _, seg := range img.loads {
		if addr < seg.addr || addr-seg.addr >= seg.memsz {
			continue
		}
		at := addr - seg.addr
		if uint64(len(buf)) > seg.memsz-at {
			return false, nil
		}
		inFile := uint64(0)
		if at < seg.filesz {
			inFile = min(uint64(len(buf)), seg.filesz-at)
		}
		clear(buf[inFile:])
		return true, img.readAt(buf[:inFile], seg.off+at)
	}
	return false, nil
}

// fileOffset returns where n bytes that are mapped at addr stand in the file.
func (img *image) fileOffset(addr, n uint64) (uint64, bool) {
	for _, seg := range img.loads {
		if addr >= seg.addr && addr-seg.addr <= seg.filesz && n <= seg.filesz-(addr-seg.addr) {
			return seg.off + (addr - seg.addr), true
		}
	}
	return 0, false
}
