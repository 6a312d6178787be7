// Package keyway_test holds the repository to its own rules.
package keyway_test

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/keyway-go/keyway"

// source is a Go file of the repository.
type source struct {
	path string // with slashes, from the repository's root
	pkg  string // import path of its directory
	text []byte
	file *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// sources parses every Go file of every module, but for testdata.
func sources(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	fset := token.NewFileSet()
	var all []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(name)
		all = append(all, source{path: slashed, pkg: path.Join(module, path.Dir(slashed)), text: text, file: f})
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return fset, all
}

func TestFormatted(t *testing.T) {
	_, all := sources(t)
	for _, s := range all {
		formatted, err := format.Source(s.text)
		require.NoError(t, err, s.path)
		if !bytes.Equal(formatted, s.text) {
			t.Errorf("%s: not formatted; gofmt -w %s", s.path, s.path)
		}
	}
}

// layer says what the packages below a path may import, besides the standard
// library. The first layer whose path fits a package holds.
type layer struct {
	path  string
	allow []string // import paths; "/..." at the end stands for everything below
}

var layers = []layer{
	{"contract", nil},
	{"loader/inspect", []string{module + "/contract"}},
	{"loader/isolate", nil},
	{"loader/internal/trial", []string{module + "/internal/procgroup", module + "/internal/rights"}},
	{"loader/internal/opener", nil},
	{"loader/files", []string{module + "/loader/internal/opener"}},
	{"loader/autoload", []string{module + "/contract", module + "/loader", module + "/loader/files", module + "/loader/inspect", module + "/internal/rights"}},
	{"loader/probe", []string{module + "/loader", module + "/loader/files", module + "/loader/internal/trial"}},
	{"loader", []string{module + "/contract", module + "/loader/inspect", module + "/loader/internal/opener", module + "/loader/internal/trial", module + "/internal/fsinfo", "github.com/Masterminds/semver/v3", "github.com/fsnotify/fsnotify"}},
	{"conformance/sqlsuite", []string{module + "/contract", module + "/conformance", module + "/conformance/sqlsuite/internal/..."}},
	{"conformance/checker", []string{module + "/conformance", module + "/internal/cli"}},
	{"conformance/report", []string{module + "/conformance", "github.com/fatih/color"}},
	{"conformance/conformancetest", []string{module + "/conformance", module + "/internal/gobuild", module + "/loader/inspect", module + "/loader/isolate"}},
	{"conformance", []string{module + "/contract", module + "/loader/...", module + "/conformance", module + "/internal/procgroup"}},
	{"bench", []string{"..."}},
	{"examples/owncontract/drivers/gzip", []string{module + "/examples/owncontract/codec"}},
	{"examples/owncontract/drivers/zstd", []string{module + "/examples/owncontract/codec", "github.com/klauspost/compress/zstd"}},
	{"examples/owncontract/codec/codecsuite", []string{module + "/conformance", module + "/examples/owncontract/codec"}},
	{"examples/owncontract/codec", []string{module + "/contract"}},
	{"examples", []string{"..."}},
	{"drivers/postgres", []string{module + "/contract", "github.com/jackc/pgx/v5/..."}},
	{"drivers/mysql", []string{module + "/contract", "github.com/go-sql-driver/mysql"}},
	{"drivers/sqlite", []string{module + "/contract", "modernc.org/libc", "modernc.org/sqlite/..."}},
	{"drivers/sqlite3", []string{module + "/contract", "github.com/mattn/go-sqlite3"}},
	{"internal/badfiles", nil},
	{"internal/autoloadtest", []string{"..."}},
	{"internal/doctor", []string{module + "/loader", module + "/loader/files", module + "/loader/inspect", module + "/internal/fsinfo", module + "/internal/procgroup"}},
	{"internal/fsinfo", nil},
	{"internal/procgroup", nil},
	{"internal/rights", nil},
	{"internal/dbserver/withdb", []string{module + "/internal/dbserver"}},
	{"internal/dbserver", nil},
	{"internal/hotupdate", nil},
	{"internal/gobuild", []string{module + "/contract", module + "/loader/inspect", module + "/loader/isolate", module + "/internal/procgroup"}},
	{"internal/fixture", []string{module + "/contract", module + "/loader/inspect", module + "/loader/isolate", module + "/internal/..."}},
	{"internal/scaffold", []string{module + "/contract", module + "/internal/procgroup"}},
	{"internal/cli", []string{"..."}},
	{"cmd", []string{"..."}},
}

func TestImports(t *testing.T) {
	_, all := sources(t)
	for _, s := range all {
		if s.isTest() {
			continue
		}
		rel := strings.TrimPrefix(s.pkg, module+"/")
		i := slices.IndexFunc(layers, func(l layer) bool { return below(l.path, rel) })
		if i < 0 {
			t.Errorf("%s: its package has no place in the layers of all_test.go", s.path)
			continue
		}
		for _, imp := range s.imports() {
			if !standard(imp) && !slices.ContainsFunc(layers[i].allow, func(a string) bool { return allows(a, imp) }) {
				t.Errorf("%s imports %s, which %s may not", s.path, imp, layers[i].path)
			}
			if imp == module+"/internal/cli" && !below("cmd", rel) && !below("conformance/checker", rel) {
				t.Errorf("%s imports %s, which only commands may", s.path, imp)
			}
		}
	}
}

// Some packages are so peculiar that only one place may know them.
func TestOnlyOneImporter(t *testing.T) {
	_, all := sources(t)
	for imp, only := range map[string]string{
		"plugin":                           "loader/files/plugin_cgo.go",
		"github.com/Masterminds/semver/v3": "loader/agree.go",
		"testing":                          "conformance/conformancetest/conformancetest.go",
	} {
		found := false
		for _, s := range all {
			if s.isTest() || !slices.Contains(s.imports(), imp) {
				continue
			}
			if s.path == only {
				found = true
			} else {
				t.Errorf("%s imports %s, which only %s may", s.path, imp, only)
			}
		}
		if !found {
			t.Errorf("%s does not import %s any more", only, imp)
		}
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	fset, all := sources(t)
	byPackage := map[string][]*ast.File{}
	for _, s := range all {
		if !s.isTest() && !ast.IsGenerated(s.file) {
			byPackage[s.pkg] = append(byPackage[s.pkg], s.file)
		}
	}
	for pkg, files := range byPackage {
		p, err := doc.NewFromFiles(fset, files, pkg, doc.PreserveAST)
		require.NoError(t, err, pkg)
		if strings.TrimSpace(p.Doc) == "" {
			t.Errorf("%s has no package comment", pkg)
		}
		for _, name := range undocumented(fset, p) {
			t.Errorf("%s: %s has no doc comment", pkg, name)
		}
	}
}

// undocumented returns the exported names that have no comment: a constant or
// variable may have its group's.
func undocumented(fset *token.FileSet, p *doc.Package) []string {
	var names []string
	values := func(list []*doc.Value) {
		for _, v := range list {
			for _, spec := range v.Decl.Specs {
				vs := spec.(*ast.ValueSpec)
				if v.Doc == "" && vs.Doc == nil && vs.Comment == nil && slices.ContainsFunc(vs.Names, (*ast.Ident).IsExported) {
					names = append(names, vs.Names[0].Name)
				}
			}
		}
	}
	functions := func(list []*doc.Func) {
		for _, f := range list {
			if f.Doc == "" && ast.IsExported(f.Name) {
				names = append(names, strings.Trim(f.Recv+"."+f.Name, "."))
			}
		}
	}
	values(p.Consts)
	values(p.Vars)
	functions(p.Funcs)
	for _, typ := range p.Types {
		values(typ.Consts)
		values(typ.Vars)
		functions(typ.Funcs)
		if !ast.IsExported(typ.Name) {
			continue
		}
		if typ.Doc == "" {
			names = append(names, typ.Name)
		}
		functions(typ.Methods)
		for _, field := range undocumentedFields(fset, typ) {
			names = append(names, typ.Name+"."+field)
		}
	}
	return names
}

// undocumentedFields returns the exported fields of a struct, and the methods
// of an interface, that have no comment. A comment is for the lines below it,
// too, up to the next empty one.
func undocumentedFields(fset *token.FileSet, typ *doc.Type) []string {
	var list []*ast.Field
	switch t := typ.Decl.Specs[0].(*ast.TypeSpec).Type.(type) {
	case *ast.StructType:
		list = t.Fields.List
	case *ast.InterfaceType:
		list = t.Methods.List
	}
	var names []string
	covered, last := false, 0
	for _, f := range list {
		first := fset.Position(f.Pos()).Line
		if f.Doc != nil {
			first = fset.Position(f.Doc.Pos()).Line
		}
		covered = f.Doc != nil || f.Comment != nil || covered && first == last+1
		last = fset.Position(f.End()).Line
		for _, name := range f.Names {
			if name.IsExported() && !covered {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

func TestUndocumentedFinds(t *testing.T) {
	const text = `// Package p is documented.
package p

const A = 1

// Group.
const (
	B = 1
	C = 2
)

type T struct {
	// D covers E.
	D int
	E int

	F, g int
	H    int // has one
	i    int
}

func (T) M() {}

func F() {}

// G is documented.
func G() {}

func h() {}
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", text, parser.ParseComments)
	require.NoError(t, err)
	p, err := doc.NewFromFiles(fset, []*ast.File{f}, "p", doc.PreserveAST)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"A", "T", "T.M", "T.F", "F"}, undocumented(fset, p))
}

func (s source) imports() []string {
	paths := make([]string, 0, len(s.file.Imports))
	for _, i := range s.file.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, `"`))
	}
	return paths
}

// below tells whether a path is the one above or inside of it.
func below(above, p string) bool { return p == above || strings.HasPrefix(p, above+"/") }

func allows(pattern, imp string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "..."); ok {
		return strings.HasPrefix(imp+"/", prefix)
	}
	return pattern == imp
}

func standard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

func TestAllows(t *testing.T) {
	require.True(t, allows("a/b/...", "a/b"))
	require.True(t, allows("a/b/...", "a/b/c"))
	require.False(t, allows("a/b/...", "a/bc"))
	require.False(t, allows("a/b", "a/b/c"))
	require.True(t, allows("...", "x"))
}
