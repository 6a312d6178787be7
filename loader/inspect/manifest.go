package inspect

import "fmt"

// manifestName is the variable of package main that holds the manifest.
const manifestName = "DriverManifest"

// maxManifest is far above any sensible manifest, and keeps a file from
// presenting its whole data segment as one.
const maxManifest = 64 << 10

const stringSize = 16 // a pointer and a length

// stringVar reads the text of a string variable from the file.
//
// The header of the string stands at the symbol. Its length is in the file; its
// pointer is not, as nobody knows yet where the file will be mapped: there is a
// relocation that will put it there, and says which place in the file is meant.
// (With packed relocations, that place stands where the pointer will be.)
//
// A fault of the variable, said in words for the manifest, is no fault of the
// file; hence two errors.
func (d *dynamic) stringVar(sym symbol) (string, *FormatError, error) {
	if !sym.isObject() || sym.size != stringSize {
		return "", badManifest("a variable of type string", fmt.Sprintf("a symbol of type %s, %d bytes", sym.kind, sym.size)), nil
	}
	raw := make([]byte, stringSize)
	if ok, err := d.readAddr(raw, sym.value); !ok || err != nil {
		return "", badManifest("a variable inside the file", fmt.Sprintf("one at %#x", sym.value)), err
	}
	header, _, err := d.relocated(sym.value, stringSize)
	if err != nil {
		return "", nil, err
	}
	text, length := d.order.Uint64(header), d.order.Uint64(header[8:])
	switch {
	case length != d.order.Uint64(raw[8:]):
		// The second word of an interface is a pointer, and has a relocation.
		return "", badManifest("a variable of type string", "two pointers, as in an interface"), nil
	case length == 0:
		return "", nil, nil
	case length > maxManifest:
		e := badManifest(fmt.Sprintf("at most %d bytes", maxManifest), fmt.Sprintf("%d", length))
		e.Remedy = "make driver.json shorter"
		return "", e, nil
	}
	buf := make([]byte, length)
	ok, err := d.readAddr(buf, text)
	if err != nil {
		return "", nil, err
	}
	if !ok || text == 0 {
		return "", badManifest("a text inside the file", fmt.Sprintf("%d bytes at %#x", length, text)), nil
	}
	return string(buf), nil, nil
}

func badManifest(wanted, found string) *FormatError {
	return &FormatError{
		Kind: BadManifest, Wanted: wanted, Found: found,
		Remedy: "declare it as: //go:embed driver.json, then var DriverManifest string",
	}
}
