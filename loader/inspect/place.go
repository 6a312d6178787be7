package inspect

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/keyway-go/keyway/contract"
)

// Place is what a driver meets where it is to be loaded, besides the host
// program's own file. Of the zero Place nothing is known, and nothing said.
type Place struct {
	// Machine has the shared libraries; nil if the host is to run elsewhere.
	Machine *Machine
	// Loaded are the driver files that the host's process has loaded, or tried
	// to, without the one that is asked about.
	Loaded []Loaded
}

// Loaded is a driver file that a process has loaded.
type Loaded struct {
	// File is where it was found, and SHA256 the hash of its bytes in hex, for
	// messages.
	File, SHA256 string
	// Name and Version are the manifest's; "" if another driver of that name
	// and version does not matter.
	Name, Version string
	// Facts are the file's. Not nil.
	Facts *Facts
}

// world is the shared libraries of a process.
type world struct {
	search *search
	host   *object
	byName map[string]*library // nil for one of which nothing is known
	all    []*library
}

// absent is a library that the dynamic linker will not find.
type absent struct {
	name string
	by   string // the library that needs it, or "" for the driver itself
}

// world returns the libraries that the host and what it has loaded bring along,
// or nil if nothing is known of the machine.
func (p *pair) world() *world {
	if p.place.Machine == nil || p.driver.GOOS != runtime.GOOS || p.driver.GOARCH != runtime.GOARCH || p.driver.BuildMode != "plugin" {
		return nil
	}
	w := &world{search: p.place.Machine.search(), byName: map[string]*library{}}
	w.host = newObject("", p.host.RunPath, p.host.RPath, nil)
	// The host runs, so it has what it needs.
	w.add(p.host.Needed, w.host)
	for _, l := range p.place.Loaded {
		w.add(l.Facts.Needed, newObject("", l.Facts.RunPath, l.Facts.RPath, w.host))
	}
	return w
}

// add takes in libraries that an object needs, with all that they need in turn,
// and returns those that are missing. Like the dynamic linker it takes all of
// one object before those of the next, as who needs a library first decides
// where it is looked for.
func (w *world) add(names []string, by *object) []absent {
	type need struct {
		names []string
		by    *object
	}
	var gone []absent
	for queue := []need{{names, by}}; len(queue) > 0; queue = queue[1:] {
		by := queue[0].by
		for _, name := range queue[0].names {
			if _, ok := w.byName[name]; ok {
				continue
			}
			lib, a := w.search.find(name, by)
			w.byName[name] = lib
			if a == missing {
				gone = append(gone, absent{name, by.name})
			}
			if lib == nil {
				continue
			}
			w.all = append(w.all, lib)
			if lib.soname != "" {
				w.byName[lib.soname] = lib
			}
			queue = append(queue, need{lib.needed, newObject(name, lib.runPath, lib.rpath, by)})
		}
	}
	return gone
}

// libraries looks for what the dynamic linker will look for.
func libraries(p *pair) []Misfit {
	w := p.world()
	if w == nil {
		return nil
	}
	before := len(w.all)
	moved := ""
	elsewhere := func(dir string) bool {
		beside := strings.HasPrefix(dir, "$ORIGIN") || strings.HasPrefix(dir, "${ORIGIN}")
		if beside {
			moved = dir
		}
		return beside
	}
	driver := newObject("", p.driver.RunPath, p.driver.RPath, w.host)
	driver.runPath = slices.DeleteFunc(slices.Clone(driver.runPath), elsewhere)
	driver.rpath = slices.DeleteFunc(slices.Clone(driver.rpath), elsewhere)
	var out []Misfit
	for _, gone := range w.add(p.driver.Needed, driver) {
		m := Misfit{
			Kind: KindLibrary, Subject: gone.name, Driver: "needed",
			Cause:  "the dynamic linker finds it neither in LD_LIBRARY_PATH, nor in the driver's own directories, nor where this machine has its libraries",
			Remedy: "install the package that has it and run ldconfig, or start the host with LD_LIBRARY_PATH=DIR",
		}
		if gone.by != "" {
			m.Driver = "needed by " + gone.by
		}
		if moved != "" {
			m.Cause += "; " + moved + " does not help, since what is loaded is a copy of the driver file in another directory"
		}
		out = append(out, m)
	}
	needs := slices.Clone(p.driver.Versions)
	for _, lib := range w.all[before:] {
		needs = append(needs, lib.needs...)
	}
	return append(append(out, w.unneeded(p.driver.Versions)...), w.tooOld(needs)...)
}

// unneeded makes one misfit of each library that nothing loads, and of which
// versions are asked for all the same: the dynamic linker asserts that it is
// there. Where a library is not known, that may need others.
func (w *world) unneeded(versions []SymbolVersion) []Misfit {
	for _, lib := range w.byName {
		if lib == nil {
			return nil
		}
	}
	var out []Misfit
	var names []string
	for _, v := range versions {
		if _, ok := w.byName[v.Library]; ok || slices.Contains(names, v.Library) {
			continue
		}
		names = append(names, v.Library)
		out = append(out, Misfit{
			Kind: KindLibrary, Subject: v.Library, Driver: "symbol versions of it",
			Cause:  "neither the driver nor another file in the process needs this library, and the dynamic linker ends a process that loads such a file",
			Remedy: "build the driver again, without a tool that changes what libraries it needs",
		})
	}
	return out
}

// tooOld makes one misfit of each library that lacks versions.
func (w *world) tooOld(needs []SymbolVersion) []Misfit {
	lacking := map[string][]string{}
	var names []string
	for _, need := range needs {
		lib := w.byName[need.Library]
		if lib == nil || len(lib.versions) == 0 || lib.versions[need.Version] || slices.Contains(lacking[need.Library], need.Version) {
			continue
		}
		if lacking[need.Library] == nil {
			names = append(names, need.Library)
		}
		lacking[need.Library] = append(lacking[need.Library], need.Version)
	}
	var out []Misfit
	for _, name := range names {
		lib, versions := w.byName[name], lacking[name]
		slices.SortFunc(versions, compareSymbolVersions)
		out = append(out, Misfit{
			Kind: KindLibraryVersion, Subject: name, Host: newest(lib, versions[0]), Driver: strings.Join(versions, ", "),
			Cause:  fmt.Sprintf("the driver was linked with a newer %s than this machine has in %s", name, lib.path),
			Remedy: "drivercheck build DIR, on a machine whose " + name + " is not newer than the host's",
		})
	}
	return out
}

// newest returns the highest version that a library has of the same sort.
func newest(lib *library, like string) string {
	sort, _, _ := strings.Cut(like, "_")
	best := ""
	for v := range lib.versions {
		_, number, ok := strings.Cut(v, sort+"_")
		if ok && number != "" && number[0] >= '0' && number[0] <= '9' && (best == "" || compareSymbolVersions(v, best) > 0) {
			best = v
		}
	}
	return best
}

// compareSymbolVersions orders GLIBC_2.9 before GLIBC_2.34.
func compareSymbolVersions(a, b string) int {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '_' || r == '.' })
	}
	return slices.CompareFunc(split(a), split(b), func(x, y string) int {
		n, err1 := strconv.Atoi(x)
		m, err2 := strconv.Atoi(y)
		if err1 == nil && err2 == nil {
			return cmp.Compare(n, m)
		}
		return cmp.Compare(x, y)
	})
}

// cFunctions looks for C code of the same names, such as another version of the
// same library. An isolated build keeps its own.
func cFunctions(p *pair) []Misfit {
	if len(p.driver.CImports) == 0 || p.driver.Isolation != nil {
		return nil
	}
	var out []Misfit
	add := func(where string, has func(name string) bool) {
		var both []string
		for _, name := range p.driver.CImports {
			if has(name) {
				both = append(both, name)
			}
		}
		if len(both) > 0 {
			out = append(out, sharedCode(both, where))
		}
	}
	programs := []Loaded{{File: "the host program", Facts: p.host}}
	for _, l := range append(programs, p.place.Loaded...) {
		if !sharesCgo(p.driver, l.Facts) {
			add(l.File, func(name string) bool { _, ok := slices.BinarySearch(l.Facts.CFunctions, name); return ok })
		}
	}
	if w := p.world(); w != nil {
		for _, lib := range w.all {
			if !systemLibrary(lib) {
				add(lib.path, func(name string) bool { return lib.exports()[name] })
			}
		}
	}
	return out
}

// sharesCgo reports whether both have a package with C in it that was made of
// the same sources, so that it does not matter whose C runs.
func sharesCgo(a, b *Facts) bool {
	return slices.ContainsFunc(a.CPackages, func(mark string) bool { return slices.Contains(b.CPackages, mark) })
}

func sharedCode(names []string, where string) Misfit {
	text := names[0]
	if more := len(names) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return Misfit{
		Kind: KindCFunctions, Subject: "C functions", Host: text + " in " + where, Driver: text,
		Cause:  "the dynamic linker gives a name to the file that was loaded first, so the driver would run the C code of that one",
		Remedy: "drivercheck build DIR, which keeps the C functions of the driver to itself",
	}
}

// systemLibrary reports whether a library belongs to the C compiler, whose
// functions programs replace by purpose.
func systemLibrary(lib *library) bool {
	name, _, _ := strings.Cut(lib.soname, ".so")
	return strings.HasPrefix(name, "ld-") || strings.HasPrefix(name, "libc.musl-") || slices.Contains([]string{"libc", "libm", "libpthread", "libdl", "librt", "libresolv", "libutil",
		"libgcc_s", "libstdc++", "libc++", "libc++abi", "libunwind", "libgomp", "libatomic",
		"libasan", "libubsan", "libtsan", "liblsan", "libmsan"}, name)
}

// loaded looks for another build of the same driver.
func loaded(p *pair) []Misfit { return Taken(p.driver, p.place.Loaded) }

// Taken returns what a driver wants for itself and a file that a process has
// loaded, which is not the driver's own, has already: its name and version, the
// identity of its packages, or its plugin path. FitIn asks that, too; who opens
// files asks again, as others can have opened one in between.
func Taken(driver *Facts, loaded []Loaded) []Misfit {
	var out []Misfit
	manifest, _ := contract.ParseManifest([]byte(driver.Manifest)) // of an invalid one there is no name
	for _, l := range loaded {
		other := fmt.Sprintf("%s (sha256 %.12s)", l.File, l.SHA256)
		switch {
		case l.Name != "" && l.Name == manifest.Name && l.Version == manifest.Version:
			out = append(out, Misfit{
				Kind: KindLoaded, Subject: "driver " + l.Name + " " + l.Version, Host: other, Driver: "other content",
				Cause:  "the process has loaded another file for this version of the driver",
				Remedy: "give the new build a version of its own in driver.json, or restart the program",
			})
		case driver.Isolation != nil && l.Facts.Isolation != nil && driver.Isolation.ID == l.Facts.Isolation.ID:
			out = append(out, Misfit{
				Kind: KindLoaded, Subject: "identity " + l.Facts.Isolation.ID, Host: other, Driver: "other content",
				Cause:  "the process has opened another file with packages below this identity, and would run the one on the variables of the other",
				Remedy: "give the new build a version of its own in driver.json and build it again, or restart the program",
			})
		case driver.PluginPath != "" && driver.PluginPath == l.Facts.PluginPath:
			out = append(out, Misfit{
				Kind: KindLoaded, Subject: "plugin path " + l.Facts.PluginPath, Host: other, Driver: "other content",
				Cause:  "the process has opened another file of this plugin path, and the runtime takes each path once",
				Remedy: "restart the program to load the other build, or build it with a plugin path of its own",
			})
		}
	}
	return out
}

// brokenToolchains are Go releases that go wrong once a process has several
// plugins.
var brokenToolchains = []struct{ goos, goarch, release, issue string }{
	{"darwin", "arm64", "go1.27", "golang/go#81303"},
	{"darwin", "arm64", "go1.27.0", "golang/go#81303"},
	{"darwin", "arm64", "go1.27.1", "golang/go#81303"},
}

func severalPlugins(p *pair) []Misfit {
	release := Release(p.host.GoVersion)
	for _, b := range brokenToolchains {
		if len(p.place.Loaded) > 0 && b.goos == p.host.GOOS && b.goarch == p.host.GOARCH && b.release == release {
			return []Misfit{{
				Kind: KindToolchain, Subject: "go version", Host: release, Driver: Release(p.driver.GoVersion),
				Cause:  "this release corrupts types of the standard library when a process loads several plugins (" + b.issue + "), and one is loaded",
				Remedy: "build host and drivers with another release of Go",
			}}
		}
	}
	return nil
}
