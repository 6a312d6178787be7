package gobuild

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/isolate"
)

// goPackage is what go list says of a package, as far as it matters here.
type goPackage struct {
	Name       string
	Dir        string
	ImportPath string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Standard   bool
	Module     *struct{ Path, Version string }
}

// listFields are the names of goPackage's fields.
const listFields = "Name,Dir,ImportPath,GoFiles,CgoFiles,Imports,Standard,Module"

// describe lists the driver's package with everything that it imports, but for
// the standard library: the package itself comes last.
func (t *tool) describe(ctx context.Context) ([]goPackage, error) {
	out, err := t.run(ctx, append([]string{"list", "-deps", "-json=" + listFields}, t.listFlags()...)...)
	if err != nil {
		return nil, err
	}
	var pkgs []goPackage
	t.listed = map[string]bool{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var next goPackage
		if err := dec.Decode(&next); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		t.listed[next.ImportPath] = true
		if !next.Standard {
			pkgs = append(pkgs, next)
		}
	}
	if len(pkgs) == 0 {
		return nil, &Error{Wanted: "the package of a driver in " + t.dir, Found: "one of the standard library"}
	}
	t.listed[pkgs[len(pkgs)-1].ImportPath+"/"+mainFolder] = true
	return pkgs, nil
}

// newPlan says how packages are isolated, and which uses of sql.Register are
// dropped.
func newPlan(id string, pkgs []goPackage) (isolate.Plan, []inspect.Registration, error) {
	p := isolate.Plan{ID: id}
	dropped := []inspect.Registration{}
	for _, pkg := range pkgs {
		next := isolate.Package{Path: pkg.ImportPath, Dir: pkg.Dir, Named: pkg.ImportPath}
		if m := pkg.Module; m != nil && m.Version != "" {
			next.Named = m.Path + "@" + m.Version + strings.TrimPrefix(pkg.ImportPath, m.Path)
		}
		p.Packages = append(p.Packages, next)
		if !slices.Contains(pkg.Imports, "database/sql") {
			continue
		}
		found, err := isolate.Registrations(next, slices.Concat(pkg.GoFiles, pkg.CgoFiles))
		if err != nil {
			return p, nil, err
		}
		for _, r := range found {
			dropped = append(dropped, inspect.Registration(r))
		}
	}
	return p, dropped, nil
}
