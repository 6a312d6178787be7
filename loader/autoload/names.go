package autoload

import (
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader"
	"github.com/keyway-go/keyway/loader/inspect"
)

// found is a driver, as its files describe it.
type found struct {
	name    string   // that the loader finds it by
	others  []string // that it wants besides
	dropped []inspect.Registration
}

// discover lists the drivers of directories, those of an earlier directory
// first. Nothing of them runs.
func discover(dirs []string) []*found {
	var all []*found
	for _, dir := range dirs {
		files, err := loader.Find(dir)
		if err != nil { // by now
			log.Warn("autoload: drivers are not registered", "reason", err)
		}
		for _, f := range files {
			manifest, dropped := describe(f.Path)
			if manifest.Contract.Name != "" && manifest.Contract.Name != contract.SQL.Name() {
				log.Debug("autoload: file left out", "file", f.Path, "contract", manifest.Contract.Name)
				continue
			}
			i := slices.IndexFunc(all, func(d *found) bool { return d.name == f.Name })
			if i < 0 {
				i = len(all)
				all = append(all, &found{name: f.Name})
			}
			all[i].add(manifest, dropped)
		}
	}
	return all
}

// add takes up what one version says. Its manifest is zero if it says nothing.
func (d *found) add(m contract.Manifest, dropped []inspect.Registration) {
	d.dropped = append(d.dropped, dropped...)
	if m.Name == "" {
		return
	}
	// A manifest with another name than the file's is a fault that the loader
	// reports, whichever of the names is asked for.
	for _, name := range append([]string{m.Name}, m.Aliases...) {
		if name != d.name && !slices.Contains(d.others, name) {
			d.others = append(d.others, name)
		}
	}
}

// describe reads what a file says of itself, as far as it can be read. The
// loader will find out what is wrong with it.
func describe(path string) (m contract.Manifest, dropped []inspect.Registration) {
	// To open a FIFO would wait for a writer.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return m, nil
	}
	facts, err := inspect.ReadFile(path)
	if err != nil {
		return m, nil
	}
	if facts.Isolation != nil {
		dropped = facts.Isolation.Dropped
	}
	text, err := facts.ManifestText()
	if err != nil {
		return m, dropped
	}
	if m, err = contract.ParseManifest([]byte(text)); err != nil {
		return contract.Manifest{}, dropped
	}
	return m, dropped
}

// registeredInProgram tells whether a package of the program registers a name,
// now or when its turn comes: the package that does so in the driver file, too,
// where it was kept from it.
func (d *found) registeredInProgram(name string) bool {
	return slices.ContainsFunc(d.dropped, func(r inspect.Registration) bool {
		return r.Name == name && inProgram(r.Package)
	})
}

// inProgram tells whether a package is part of the program. A program that
// cannot load files does not say which packages it has; then all of a module
// count.
func inProgram(pkg string) bool {
	if program, err := inspect.Self(); err == nil && len(program.Packages) > 0 {
		_, ok := program.Packages[pkg]
		return ok
	}
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Deps, func(m *debug.Module) bool {
		return pkg == m.Path || strings.HasPrefix(pkg, m.Path+"/")
	})
}

// claim is a name for sql.Open, and the driver that has it.
type claim struct {
	name string
	by   *found
}

// claims gives each name to one driver.
func claims(all []*found) []claim {
	var list []claim
	for _, d := range all {
		list = append(list, claim{d.name, d})
	}
	for _, d := range all {
		for _, name := range d.others {
			i := slices.IndexFunc(list, func(c claim) bool { return c.name == name })
			if i < 0 {
				list = append(list, claim{name, d})
				continue
			}
			log.Warn("autoload: two drivers claim one name", "name", name, "has", list[i].by.name, "has_not", d.name)
		}
	}
	return list
}
