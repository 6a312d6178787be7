package inspect

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The linker's names for fingerprints. Go 1.19 and older wrote a dot.
const (
	printPrefix    = "go:link.pkghashbytes."
	oldPrintPrefix = "go.link.pkghashbytes."
)

// fingerprints of a file, and how their names are spelled.
type fingerprints struct {
	byPath map[string]Fingerprint
	old    bool // as Go 1.19 and older spelled them
}

// fingerprints collects the 8 bytes that the linker keeps for each package in
// a plugin, and in a program that imports "plugin". They survive stripping.
func (d *dynamic) fingerprints() (fingerprints, error) {
	prints := fingerprints{byPath: map[string]Fingerprint{}}
	budget := d.nameBudget()
	err := d.symbols(func(sym symbol, prefix, path string) error {
		var print Fingerprint
		if sym.size != uint64(len(print)) {
			return corrupt(fmt.Sprintf("fingerprints of %d bytes", len(print)), fmt.Sprintf("%d for %q", sym.size, path))
		}
		if _, twice := prints.byPath[path]; twice {
			return corrupt("one fingerprint a package", fmt.Sprintf("two for %q", path))
		}
		if err := budget(path); err != nil {
			return err
		}
		ok, err := d.readAddr(print[:], sym.value)
		if err != nil {
			return err
		}
		if !ok {
			return corrupt("fingerprints inside the file", fmt.Sprintf("one at %#x for %q", sym.value, path))
		}
		prints.byPath[path] = print
		prints.old = prints.old || prefix == oldPrintPrefix
		return nil
	}, printPrefix, oldPrintPrefix)
	return prints, err
}

// nameBudget returns a check for names that are kept. Names that begin alike
// cannot share bytes, so together they are no longer than the string table;
// records that all name one long text would otherwise make copies without end.
func (d *dynamic) nameBudget() func(string) error {
	left := len(d.strings)
	return func(name string) error {
		if left -= len(name) + 1; left < 0 {
			return corrupt("a string table that holds each name once", "names that lie over each other")
		}
		return nil
	}
}

// withoutBuildInfo says what a file without build information is. A plugin of
// Go 1.19 or older has none and is told by the spelling of its fingerprints;
// newer ones always have it.
func (p fingerprints) withoutBuildInfo() error {
	switch {
	case len(p.byPath) == 0:
		return notGo()
	case !p.old:
		return corrupt("build information", "package fingerprints without it")
	}
	return nil
}

// pluginPath finds the path under which the runtime will know the plugin.
//
// The build information names the package that was built, which is often not
// that path: a list of files is "command-line-arguments" there, and -pluginpath
// and isolated builds change the path for the linker alone. The truth is the
// field that the runtime itself reads, moduledata.pluginpath. Its offset moves
// between releases, so the field is found by what follows it: the slice of
// package hashes, with as many elements as there are fingerprints. Its text must
// then be a package that has a fingerprint. Should a future linker arrange this
// otherwise, the fingerprints and the build information decide together.
func (d *dynamic) pluginPath(infoPath string, packages map[string]Fingerprint) (string, error) {
	path, err := d.modulePath(packages)
	if path != "" || err != nil {
		return path, err
	}
	if path := guessPath(infoPath, packages); path != "" {
		return path, nil
	}
	return "", corrupt("a plugin path among the package fingerprints",
		fmt.Sprintf("%d packages, none of which is %q", len(packages), infoPath))
}

// modulePath returns moduledata.pluginpath, or "" if it is not found, as in
// files that are no plugin.
func (d *dynamic) modulePath(packages map[string]Fingerprint) (string, error) {
	// Since Go 1.26 moduledata has a section; before, it stood among the data
	// without pointers, where the pattern picks it out as well.
	for _, name := range []string{".go.module", ".noptrdata"} {
		sec := d.sectionNamed(name)
		if sec == nil || sec.size > maxTable/8 {
			continue
		}
		path, err := d.pathInModule(sec, packages)
		if path != "" || err != nil {
			return path, err
		}
	}
	return "", nil
}

// pathInModule looks for string and slice side by side: pointer, length;
// pointer, length, capacity.
func (d *dynamic) pathInModule(sec *section, packages map[string]Fingerprint) (string, error) {
	if len(packages) == 0 {
		return "", nil
	}
	mem, ok, err := d.relocated(sec.addr, sec.size)
	if !ok || err != nil {
		return "", err
	}
	count := uint64(len(packages))
	word := func(i int) uint64 { return d.order.Uint64(mem[i*8:]) }
	tries := 64 // one is right in a real file; a forged one shall not keep us reading
	for i := 0; i+5 <= len(mem)/8 && tries > 0; i++ {
		if word(i+3) != count || word(i+4) != count || word(i+1) == 0 || word(i+1) > maxName {
			continue
		}
		tries--
		text := make([]byte, word(i+1))
		if ok, err := d.readAddr(text, word(i)); err != nil {
			return "", err
		} else if !ok {
			continue
		}
		path := unescapePath(string(text))
		if _, known := packages[path]; known {
			return path, nil
		}
	}
	return "", nil
}

// guessPath picks the plugin's own package from those that have a fingerprint:
// the one that was built, one made of a list of files, or one whose path ends
// in the one that was built, as in an isolated build.
func guessPath(infoPath string, packages map[string]Fingerprint) string {
	if _, ok := packages[infoPath]; ok {
		return infoPath
	}
	var found []string
	for path := range packages {
		if strings.HasPrefix(path, "plugin/unnamed-") || infoPath != "" && strings.HasSuffix(path, "/"+infoPath) {
			found = append(found, path)
		}
	}
	if len(found) != 1 {
		return "" // none, or no way to choose
	}
	return found[0]
}

// readExports fills in the exported names, the manifest and what an isolated
// build says.
func (d *dynamic) readExports(f *Facts) error {
	var manifest, isolation *symbol
	budget := d.nameBudget()
	err := d.symbols(func(sym symbol, _, name string) error {
		if !isExported(name) {
			return nil
		}
		if err := budget(name); err != nil {
			return err
		}
		f.Symbols = append(f.Symbols, name)
		switch name {
		case manifestName:
			manifest = &sym
		case IsolationName:
			isolation = &sym
		}
		return nil
	}, escapePath(f.PluginPath)+".")
	if err != nil {
		return err
	}
	slices.Sort(f.Symbols)
	f.Symbols = slices.Compact(f.Symbols)
	if isolation != nil {
		text, fault, err := d.stringVar(*isolation)
		if err != nil {
			return err
		}
		if fault == nil {
			f.Isolation = parseIsolation(text)
		}
	}
	if manifest == nil {
		return nil
	}
	f.HasManifest = true
	f.Manifest, f.ManifestErr, err = d.stringVar(*manifest)
	return err
}

// isExported reports whether what follows the path in a symbol is the name of
// an exported variable or function. Methods, closures and instances of generic
// functions have dots, brackets or other marks in theirs.
func isExported(name string) bool {
	first, _ := utf8.DecodeRuneInString(name)
	if !unicode.IsUpper(first) {
		return false
	}
	for _, r := range name {
		if r == utf8.RuneError || r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

// escapePath spells an import path as it stands at the head of a symbol: bytes
// that would confuse a linker, and dots in the last element, are written as %
// and two hexadecimal digits.
func escapePath(path string) string {
	last := strings.LastIndexByte(path, '/')
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case c <= ' ' || c >= 0x7f || c == '%' || c == '"' || c == '.' && i > last:
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescapePath undoes escapePath; what is no escape is left as it stands.
func unescapePath(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			hi, lo := unhex(text[i+1]), unhex(text[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func unhex(c byte) int { return strings.IndexByte("0123456789abcdef", c) }

// isObject reports whether a symbol is a variable.
func (s symbol) isObject() bool { return s.kind == elf.STT_OBJECT }
