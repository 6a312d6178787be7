package gobuild

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// manifestText finds NewDriver and the text of DriverManifest in the source,
// so that their absence is said before anything is compiled.
func manifestText(dir string, pkg goPackage) (string, error) {
	var text *string
	hasNew := false
	fset := token.NewFileSet()
	for _, name := range slices.Concat(pkg.GoFiles, pkg.CgoFiles) {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return "", &Error{Wanted: "Go source that parses", Found: err.Error(), Err: err}
		}
		for _, decl := range f.Decls {
			hasNew = hasNew || declares(decl, "NewDriver")
			spec, doc := findVar(decl, "DriverManifest")
			if spec == nil {
				continue
			}
			t, err := valueOf(dir, spec, doc)
			if err != nil {
				return "", err
			}
			text = &t
		}
	}
	if !hasNew {
		return "", &Error{Wanted: "an exported NewDriver in package " + pkg.ImportPath, Found: "none",
			Remedy: "add: func NewDriver() contract.Driver { ... }"}
	}
	if text == nil {
		return "", &Error{Wanted: "an exported DriverManifest in package " + pkg.ImportPath, Found: "none",
			Remedy: "add: //go:embed driver.json and below it: var DriverManifest string"}
	}
	return *text, nil
}

// declares tells whether a declaration is of a function or variable of a name.
func declares(decl ast.Decl, name string) bool {
	if f, ok := decl.(*ast.FuncDecl); ok {
		return f.Recv == nil && f.Name.Name == name
	}
	spec, _ := findVar(decl, name)
	return spec != nil
}

// findVar returns the specification of a package variable with the comment
// above it.
func findVar(decl ast.Decl, name string) (*ast.ValueSpec, *ast.CommentGroup) {
	gen, ok := decl.(*ast.GenDecl)
	if !ok || gen.Tok != token.VAR {
		return nil, nil
	}
	for _, s := range gen.Specs {
		spec := s.(*ast.ValueSpec)
		if !slices.ContainsFunc(spec.Names, func(id *ast.Ident) bool { return id.Name == name }) {
			continue
		}
		if spec.Doc != nil {
			return spec, spec.Doc
		}
		return spec, gen.Doc
	}
	return nil, nil
}

// valueOf returns the text of DriverManifest: of the file that is embedded, or
// of a string literal.
func valueOf(dir string, spec *ast.ValueSpec, doc *ast.CommentGroup) (string, error) {
	if doc != nil {
		for _, c := range doc.List {
			words := strings.Fields(c.Text)
			if words[0] != "//go:embed" {
				continue
			}
			if len(words) != 2 {
				return "", &Error{Wanted: "one file that DriverManifest embeds", Found: c.Text, Remedy: "write //go:embed driver.json"}
			}
			name := words[1]
			if unquoted, err := strconv.Unquote(name); err == nil {
				name = unquoted
			}
			text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				return "", &Error{Wanted: "the manifest that DriverManifest embeds", Found: err.Error(), Remedy: "write " + name, Err: err}
			}
			return string(text), nil
		}
	}
	if len(spec.Names) == 1 && len(spec.Values) == 1 {
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			return strconv.Unquote(lit.Value)
		}
	}
	return "", &Error{Wanted: "a DriverManifest whose text can be read from the file", Found: "a value that is computed when the driver runs",
		Remedy: "use //go:embed driver.json above: var DriverManifest string"}
}
