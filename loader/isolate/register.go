package isolate

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Registration is a use of sql.Register that an isolated build drops: the names
// are the process's, and two versions of a driver want the same.
type Registration struct {
	// Package is the import path of the package that registers.
	Package string `json:"package"`
	// Name is the name, or "" when it is known only at run time.
	Name string `json:"name"`
}

// Registrations finds what will be dropped in a package, given its Go files, by
// their names in its directory. Files that do not parse have none: the compiler
// will say what is wrong with them.
func Registrations(pkg Package, files []string) ([]Registration, error) {
	fset := token.NewFileSet()
	texts := map[string]string{} // of constants and variables
	var calls []ast.Expr
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(pkg.Dir, name))
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(fset, name, text, 0)
		if err != nil {
			continue
		}
		addTexts(texts, f)
		calls = append(calls, registered(f)...)
	}
	var found []Registration
	for _, name := range calls {
		r := Registration{Package: pkg.Path, Name: textOf(name, texts)}
		if !slices.Contains(found, r) {
			found = append(found, r)
		}
	}
	return found, nil
}

// registered returns the names with which a file uses sql.Register, nil for a
// use that is no call.
func registered(f *ast.File) []ast.Expr {
	uses := registerUses(f)
	names := make([]ast.Expr, len(uses))
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 0 {
			if i := slices.Index(uses, ast.Unparen(call.Fun)); i >= 0 && !isLocal(f, call.Args[0]) {
				names[i] = call.Args[0]
			}
		}
		return true
	})
	return names
}

// isLocal tells whether an expression is a name that a function declares.
func isLocal(f *ast.File, expr ast.Expr) bool {
	id, ok := expr.(*ast.Ident)
	return ok && id.Obj != nil && f.Scope.Lookup(id.Name) != id.Obj
}

// addTexts collects the constants and variables of a file that begin as a
// string.
func addTexts(texts map[string]string, f *ast.File) {
	for _, decl := range f.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			values, ok := spec.(*ast.ValueSpec)
			if !ok || len(values.Names) != len(values.Values) {
				continue
			}
			for i, name := range values.Names {
				if text := textOf(values.Values[i], nil); text != "" {
					texts[name.Name] = text
				}
			}
		}
	}
}

// textOf returns the value of a string literal or of a name for one, or "".
func textOf(expr ast.Expr, texts map[string]string) string {
	switch e := expr.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.Ident:
		return texts[e.Name]
	}
	return ""
}

// registerUses returns the expressions in a file that denote sql.Register.
func registerUses(f *ast.File) []ast.Expr {
	locals := importedAs(f, "database/sql")
	if locals == nil {
		return nil
	}
	// What a file declares itself, at any depth, is resolved; an import is not.
	free := map[*ast.Ident]bool{}
	for _, id := range f.Unresolved {
		free[id] = true
	}
	var uses []ast.Expr
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(locals, x.Name) && free[x] && n.Sel.Name == "Register" {
				uses = append(uses, n)
			}
		case *ast.Ident:
			if slices.Contains(locals, ".") && n.Name == "Register" && free[n] {
				uses = append(uses, n)
			}
		}
		return true
	})
	return uses
}

// importedAs returns the names under which a file imports a package, without
// those that it cannot use.
func importedAs(f *ast.File, path string) []string {
	var locals []string
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		switch {
		case err != nil || p != path:
		case spec.Name == nil:
			locals = append(locals, "sql")
		case spec.Name.Name != "_":
			locals = append(locals, spec.Name.Name)
		}
	}
	return locals
}

// dropped is what a package calls in place of sql.Register.
const dropped = "keywayDropsRegister"

// registerDropper makes sql.Register do nothing in the files of a package.
type registerDropper struct {
	pkg string // the package's name, once something was dropped
}

// from returns a file without its uses of sql.Register. No line moves.
func (r *registerDropper) from(name string, text []byte) []byte {
	if !bytes.Contains(text, []byte("database/sql")) || !bytes.Contains(text, []byte("Register")) {
		return text
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, 0)
	if err != nil {
		return text // the compiler will say it better
	}
	uses := registerUses(f)
	if uses == nil {
		return text
	}
	r.pkg = f.Name.Name
	offset := func(p token.Pos) int { return fset.PositionFor(p, false).Offset }
	var out bytes.Buffer
	last := 0
	for _, use := range uses {
		from, to := offset(use.Pos()), offset(use.End())
		out.Write(text[last:from])
		out.WriteString(strings.Repeat("\n", bytes.Count(text[from:to], []byte("\n"))) + dropped)
		last = to
	}
	out.Write(text[last:])
	for _, local := range importedAs(f, "database/sql") {
		// The import may have had no other use.
		fmt.Fprintf(&out, "\nvar _ = %sDrivers\n", strings.TrimPrefix(local+".", ".."))
	}
	return out.Bytes()
}

// source is the file that declares what is called instead. It has the type of
// sql.Register, without an import that the package may not have; generics need
// the first line in a module of an older language version.
func (r *registerDropper) source() []byte {
	return fmt.Appendf(nil, `//go:build go1.21

package %s

import "database/sql"

var %s = %[2]sOf(sql.Register)

func %[2]sOf[D any](func(string, D)) func(string, D) { return func(string, D) {} }
`, r.pkg, dropped)
}
