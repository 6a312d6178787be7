package inspect

import (
	"bytes"
	"cmp"
	"debug/elf"
	"regexp"
	"slices"
)

// contractVariable is what the package of a contract calls the variable of type
// [2]string that holds the contract's name and version, for a program's file to
// say what it provides. See contract.MustDefine.
const contractVariable = ".keywayContract"

// maxContracts is far above what any host provides.
const maxContracts = 256

var (
	contractName    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
	contractVersion = regexp.MustCompile(`^[0-9A-Za-z.+-]{1,128}$`)
)

// contracts finds what the program says it provides. A variable of that name
// that holds something else is none of ours.
func (d *dynamic) contracts() ([]Contract, error) {
	found := []Contract{}
	err := d.records("the symbols", d.symOff, d.symCount, symSize, func(rec []byte) error {
		sym := d.symbol(rec)
		if uint64(sym.name) >= uint64(len(d.strings)) || !sym.isObject() || sym.section == elf.SHN_UNDEF || sym.size != 2*stringSize {
			return nil
		}
		name := d.strings[sym.name:]
		if end := bytes.IndexByte(name, 0); end < 0 || !bytes.HasSuffix(name[:end], []byte(contractVariable)) {
			return nil
		}
		var c Contract
		for i, text := range []*string{&c.Name, &c.Version} {
			var fault *FormatError
			var err error
			half := symbol{kind: sym.kind, value: sym.value + uint64(i)*stringSize, size: stringSize}
			if *text, fault, err = d.stringVar(half); err != nil || fault != nil {
				return err
			}
		}
		if contractName.MatchString(c.Name) && contractVersion.MatchString(c.Version) && len(found) < maxContracts && !slices.Contains(found, c) {
			found = append(found, c)
		}
		return nil
	})
	slices.SortFunc(found, func(a, b Contract) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return found, err
}
