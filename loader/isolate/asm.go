package isolate

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	return c.replaceSources(".s", func(name string, text []byte) ([]byte, error) {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		renamed, err := c.renameIn(filepath.Dir(abs), string(text))
		return []byte(renamed), err
	})
}

// In the assembler a middle dot stands for ".", a division slash for "/".
var (
	fullName = regexp.MustCompile(`[\pL_][\pL\pN_·∕.]*·[\pL_]`)
	include  = regexp.MustCompile(`(?m)^([ \t]*#[ \t]*include[ \t]+")([^"\n]+)"`)
)

// renameIn renames in a text of the assembler from a directory, and in the files
// that it includes from there.
func (c *call) renameIn(dir, text string) (string, error) {
	var failure error
	text = include.ReplaceAllStringFunc(text, func(line string) string {
		parts := include.FindStringSubmatch(line)
		file := filepath.Join(dir, filepath.FromSlash(parts[2]))
		content, err := os.ReadFile(file)
		if err != nil {
			return line // from another directory: the go command's or the standard library's
		}
		renamed, err := c.renameIn(filepath.Dir(file), string(content))
		if err == nil && renamed != string(content) {
			c.included++
			file = filepath.Join(c.temp, "h"+strconv.Itoa(c.included)+"-"+filepath.Base(file))
			err = os.WriteFile(file, []byte(renamed), 0o600)
			line = parts[1] + filepath.ToSlash(file) + `"`
		}
		if err != nil {
			failure = err
		}
		return line
	})
	return c.renameSymbols(text), failure
}

func (c *call) renameSymbols(text string) string {
	plain := strings.NewReplacer("·", ".", "∕", "/")
	spelled := strings.NewReplacer(".", "·", "/", "∕")
	return fullName.ReplaceAllStringFunc(text, func(name string) string {
		end := strings.LastIndex(name, "·")
		if pkg := plain.Replace(name[:end]); c.names(pkg) {
			return spelled.Replace(c.ID) + "∕" + name
		}
		return name
	})
}
