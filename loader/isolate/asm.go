package isolate

import (
	"regexp"
	"strings"
)

// asm renames the package of an assembler call, and the packages that its
// sources name in full, as in github·com∕x∕y·Name(SB).
func (c *call) asm() error {
	pkg, at := c.flag("-p")
	if at < 0 || !c.has(pkg) {
		return nil
	}
	c.args[at] = c.path(pkg)
	c.nameDir(pkg)
	return c.replaceSources(".s", func(_ string, text []byte) ([]byte, error) {
		return []byte(c.renameSymbols(string(text))), nil
	})
}

// In the assembler a middle dot stands for ".", a division slash for "/".
var fullName = regexp.MustCompile(`[\pL_][\pL\pN_·∕.]*∕[\pL\pN_·∕.]*·[\pL_]`)

func (c *call) renameSymbols(text string) string {
	if !strings.Contains(text, "∕") {
		return text
	}
	plain := strings.NewReplacer("·", ".", "∕", "/")
	spelled := strings.NewReplacer(".", "·", "/", "∕")
	return fullName.ReplaceAllStringFunc(text, func(name string) string {
		end := strings.LastIndex(name, "·")
		if pkg := plain.Replace(name[:end]); c.has(pkg) {
			return spelled.Replace(c.ID) + "∕" + name
		}
		return name
	})
}
