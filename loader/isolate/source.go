package isolate

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// sources rewrites what in Go source names other packages by more than an
// import, or reaches out of the plugin: linknames, and sql.Register. No line
// moves.
func (c *call) sources() error {
	n := 0
	return c.replaceSources(".go", func(name string, text []byte) ([]byte, error) {
		n++
		if bytes.Contains(text, []byte("//go:linkname ")) {
			text = c.renameLinknames(text)
		}
		if bytes.Contains(text, []byte(`"database/sql"`)) && bytes.Contains(text, []byte("Register")) {
			return dropRegister(name, text, n)
		}
		return text, nil
	})
}

// renameLinknames puts the identity before the packages in linknames.
func (c *call) renameLinknames(text []byte) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	for i, line := range lines {
		words := strings.Fields(string(line))
		if len(words) != 3 || words[0] != "//go:linkname" {
			continue
		}
		slash := strings.LastIndex(words[2], "/")
		dot := strings.Index(words[2][slash+1:], ".")
		if dot < 0 {
			continue
		}
		// Dots in the last element are written %2e, as in symbols.
		pkg, err := url.PathUnescape(words[2][:slash+1+dot])
		if err == nil && c.packages[pkg] {
			lines[i] = bytes.Replace(line, []byte(words[2]), []byte(c.id+"/"+words[2]), 1)
		}
	}
	return bytes.Join(lines, nil)
}

// dropRegister makes calls of sql.Register do nothing: the names are the
// process's, and two versions of a driver want the same. n makes the names
// added to a package's files distinct.
func dropRegister(name string, text []byte, n int) ([]byte, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return text, nil // the compiler will say it better
	}
	local := importedAs(f, "database/sql")
	if local == "" {
		return text, nil
	}
	var offsets []int
	ast.Inspect(f, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Register" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
				offsets = append(offsets, fset.Position(sel.Pos()).Offset, fset.Position(sel.End()).Offset)
			}
		}
		return true
	})
	if offsets == nil {
		return text, nil
	}
	nothing := "keywayDropsRegister" + strconv.Itoa(n)
	var out bytes.Buffer
	last := 0
	for i := 0; i < len(offsets); i += 2 {
		out.Write(text[last:offsets[i]])
		out.WriteString(nothing)
		last = offsets[i+1]
	}
	out.Write(text[last:])
	// The import may have had no other use.
	fmt.Fprintf(&out, "\nfunc %s(string, any) {}\n\nvar _ = %s.Drivers\n", nothing, local)
	return out.Bytes(), nil
}

// importedAs returns the name under which a file imports a package, or "".
func importedAs(f *ast.File, path string) string {
	for _, spec := range f.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != path {
			continue
		}
		if spec.Name == nil {
			return "sql"
		}
		if spec.Name.Name != "_" && spec.Name.Name != "." {
			return spec.Name.Name
		}
	}
	return ""
}

// replaceSources gives the tool other files in place of those source files that
// change rewrites.
func (c *call) replaceSources(suffix string, change func(name string, text []byte) ([]byte, error)) error {
	for i, arg := range c.args {
		if !strings.HasSuffix(arg, suffix) || strings.HasPrefix(arg, "-") || i > 0 && c.args[i-1] == "-o" {
			continue
		}
		text, err := os.ReadFile(arg)
		if errors.Is(err, os.ErrNotExist) {
			continue // the value of some flag
		}
		if err != nil {
			return err
		}
		changed, err := change(arg, text)
		if err != nil {
			return err
		}
		if bytes.Equal(changed, text) {
			continue
		}
		file := filepath.Join(c.temp, strconv.Itoa(i)+"-"+filepath.Base(arg))
		if err := os.WriteFile(file, changed, 0o600); err != nil {
			return err
		}
		if err := c.mapBack(file, arg); err != nil {
			return err
		}
		c.args[i] = file
		c.replaced = append(c.replaced, file, arg)
	}
	return nil
}

// mapBack makes the tool record for a file the name that it would record for
// the original. Of the rules in -trimpath it applies the first that fits.
func (c *call) mapBack(file, original string) error {
	abs, err := filepath.Abs(original)
	if err != nil {
		return err
	}
	list, at := c.flag("-trimpath")
	rule := file + "=>" + trimmed(abs, list)
	if at < 0 {
		return errors.New("a tool was called without -trimpath")
	}
	c.args[at] = rule + ";" + list
	return nil
}

// trimmed applies the rules of -trimpath as cmd/internal/objabi does.
func trimmed(path, rules string) string {
	for rule := range strings.SplitSeq(rules, ";") {
		prefix, replace := rule, ""
		if i := strings.LastIndex(rule, "=>"); i >= 0 {
			prefix, replace = rule[:i], rule[i+len("=>"):]
		}
		rest, ok := strings.CutPrefix(path, prefix)
		if prefix == "" || !ok || rest != "" && rest[0] != '/' {
			continue
		}
		if replace == "" {
			return strings.TrimPrefix(rest, "/")
		}
		return replace + rest
	}
	return path
}
