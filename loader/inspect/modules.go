package inspect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// isolated is the remedy that always helps when packages of modules differ: a
// driver whose packages have paths of their own shares none of them.
const isolated = "drivercheck build DIR, which lets the driver share nothing but the standard library"

// modules makes one misfit of each module whose shared packages differ. A
// module of the same version on both sides differs because of the standard
// library, if that does, which has been reported then.
func modules(p *pair) []Misfit {
	var moved []string // modules whose version differs
	paths := slices.Sorted(maps.Keys(p.byModule))
	for _, path := range paths {
		if !p.sameVersion(path) {
			moved = append(moved, path)
		}
	}
	var out []Misfit
	for _, path := range paths {
		same := p.sameVersion(path)
		if same && p.explained {
			continue
		}
		packages := p.byModule[path]
		m := Misfit{
			Kind: KindModule, Subject: path, Count: len(packages),
			Host: versionOf(p.host, path), Driver: versionOf(p.driver, path),
		}
		switch {
		case !same && p.replaced(path):
			m.Cause = fmt.Sprintf("host and driver share packages of this module, and it is replaced by another one on one side: %s", differ(packages))
			m.Remedy = p.moveDriver(path)
		case !same:
			m.Cause = fmt.Sprintf("host and driver share packages of this module, and use different versions of it: %s", differ(packages))
			m.Remedy = p.moveDriver(path)
		case p.patched(path):
			m.Cause = fmt.Sprintf("the version is the same, but its hash is not, so the source was changed on one side: %s", differ(packages))
			m.Remedy = isolated
		case len(moved) > 0:
			m.Cause = fmt.Sprintf("the version is the same, but %s, likely because of what it imports: %s", differ(packages), strings.Join(moved, ", "))
			m.Remedy = isolated
		case len(p.std) > 0:
			// The standard library has its own misfit, and this one follows from it.
			m.Cause = fmt.Sprintf("the version is the same, but %s, as the standard library does", differ(packages))
			m.Remedy = "settle the standard library first"
		default:
			m.Cause = fmt.Sprintf("the version is the same, but the source or its place is not: %s", differ(packages))
			m.Remedy = isolated
		}
		out = append(out, m)
	}
	return out
}

// moveDriver is how to bring the driver to the host's version of a module, if
// the host has one that can be fetched.
func (p *pair) moveDriver(path string) string {
	m := find(p.host, path)
	if m == nil || m.Replace != nil || !strings.HasPrefix(m.Version, "v") || strings.Contains(m.Version, "+dirty") {
		return isolated
	}
	return fmt.Sprintf("%s; or, for a plain build: go get %s@%s, in the module of the driver", isolated, path, m.Version)
}

// sameVersion reports whether both sides have a module in one version. Sources
// without a version, of a main module or in a directory that replaces one, are
// the same as far as the files tell.
func (p *pair) sameVersion(path string) bool {
	return versionOf(p.host, path) == versionOf(p.driver, path) || unversioned(p.host, path) && unversioned(p.driver, path)
}

// replaced reports whether the sides have replaced a module by different ones.
func (p *pair) replaced(path string) bool {
	d, h := find(p.driver, path), find(p.host, path)
	return d != nil && h != nil && d.Version == h.Version && (d.Replace != nil || h.Replace != nil)
}

// patched reports whether the sides have different sources of one version.
func (p *pair) patched(path string) bool {
	d, h := find(p.driver, path), find(p.host, path)
	return d != nil && h != nil && d.Sum != "" && h.Sum != "" && d.Sum != h.Sum
}

func unversioned(f *Facts, path string) bool {
	m := find(f, path)
	if m != nil && m.Replace != nil {
		m = m.Replace
	}
	return m != nil && (m.Version == "" || m.Version == "(devel)")
}

// versionOf is a module's version and replacement in words, "" if it is not
// among the modules of that side.
func versionOf(f *Facts, path string) string {
	m := find(f, path)
	switch {
	case m == nil:
		return ""
	case m.Replace != nil:
		return strings.TrimRight(fmt.Sprintf("%s, replaced by %s %s", m.Version, m.Replace.Path, m.Replace.Version), " ")
	}
	return m.Version
}

func find(f *Facts, path string) *Module {
	i := slices.IndexFunc(f.Modules, func(m Module) bool { return m.Path == path })
	if i < 0 {
		return nil
	}
	return &f.Modules[i]
}

// differ says which packages differ, the first few by name.
func differ(packages []string) string {
	names := packages[:min(len(packages), 3)]
	text := strings.Join(names, ", ")
	switch more := len(packages) - len(names); {
	case more > 0:
		return fmt.Sprintf("%s and %d more packages differ", text, more)
	case len(names) == 1:
		return text + " differs"
	}
	return text + " differ"
}

// comparePackages sorts the shared packages that differ into the standard
// library and modules.
func comparePackages(driver, host *Facts) *pair {
	p := &pair{driver: driver, host: host, byModule: map[string][]string{}}
	for path, print := range driver.Packages {
		other, shared := host.Packages[path]
		if !shared || other == print {
			continue
		}
		switch module := p.moduleOf(path); module {
		case "":
			p.std = append(p.std, path)
		default:
			p.byModule[module] = append(p.byModule[module], path)
		}
	}
	slices.Sort(p.std)
	for _, packages := range p.byModule {
		slices.Sort(packages)
	}
	return p
}

// moduleOf returns the path of the module that a package belongs to: the
// longest one known to either side. It is "" for the standard library, and the
// package itself where no module is known but the path has a domain.
func (p *pair) moduleOf(pkg string) string {
	best := ""
	for _, side := range []*Facts{p.driver, p.host} {
		for _, m := range side.Modules {
			if len(m.Path) > len(best) && (pkg == m.Path || strings.HasPrefix(pkg, m.Path+"/")) {
				best = m.Path
			}
		}
	}
	first, _, _ := strings.Cut(pkg, "/")
	if best == "" && strings.Contains(first, ".") {
		return pkg
	}
	return best
}
