package inspect

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind tells the reasons apart for which a driver does not fit a host.
type Kind string

// The kinds of a Misfit, in the order in which Fit reports them.
const (
	// KindPlatform: another operating system or architecture.
	KindPlatform Kind = "platform"
	// KindBuildMode: the file is no plugin.
	KindBuildMode Kind = "build-mode"
	// KindHost: the host can load no plugin at all.
	KindHost Kind = "host"
	// KindPluginPath: the plugin's path is not the one its symbols have.
	KindPluginPath Kind = "plugin-path"
	// KindNoRuntime: a plugin without the fingerprint of a Go runtime, so that
	// nothing can be said of what it shares with the host.
	KindNoRuntime Kind = "no-runtime"
	// KindSymbolic: the plugin would use a Go runtime of its own.
	KindSymbolic Kind = "symbolic"
	// KindGoVersion: another Go version.
	KindGoVersion Kind = "go-version"
	// KindSetting: a build setting that changes the standard library.
	KindSetting Kind = "setting"
	// KindStandard: the standard library differs for no reason the files tell.
	KindStandard Kind = "standard-library"
	// KindModule: packages of a module that host and driver share differ.
	KindModule Kind = "module"
	// KindLibrary: a shared library is needed that the dynamic linker does not
	// find.
	KindLibrary Kind = "shared-library"
	// KindLibraryVersion: a shared library is older than the one with which the
	// driver was linked.
	KindLibraryVersion Kind = "library-version"
	// KindCFunctions: C functions of the same names are loaded already.
	KindCFunctions Kind = "c-functions"
	// KindLoaded: the process has loaded another file of the same plugin path,
	// or of the same name and version.
	KindLoaded Kind = "loaded"
	// KindToolchain: the Go release is known to break programs with several
	// plugins.
	KindToolchain Kind = "toolchain"
	// KindContract: the host has a version of the contract that the manifest
	// does not accept. Fit does not tell, as it reads no constraints;
	// drivercheck inspect does, in the same list.
	KindContract Kind = "contract"
)

// Misfit is one reason why a driver cannot load into a host.
type Misfit struct {
	Kind    Kind   `json:"kind"`    // what to act on
	Subject string `json:"subject"` // what differs: a setting, a module path, "go version"
	Host    string `json:"host"`    // how the host has it, "" if it has none
	Driver  string `json:"driver"`  // how the driver has it, "" if it has none
	Cause   string `json:"cause"`   // why that keeps it from loading, as far as both files tell
	Remedy  string `json:"remedy"`  // what to do, a command where there is one
	// Count is the number of shared packages that differ and for which this is
	// a cause. Misfits that are not about packages have 0.
	Count int `json:"count"`
}

// String returns the misfit on one line, without the remedy.
func (m Misfit) String() string {
	return fmt.Sprintf("%s: host has %s, driver has %s: %s", m.Subject, orNone(m.Host), orNone(m.Driver), m.Cause)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Fit returns every reason why a driver with these facts cannot load into a
// host with those, in the order of the kinds and then by name; nil if it fits.
// What one cause explains is one misfit: a driver of another Go version is not
// also said to differ in a hundred packages. Neither argument may be nil, and
// neither is changed. It goes by the two files alone, as FitIn does with the
// zero Place.
//
// A name for sql.Register that is taken already is no misfit, since no file
// says which names it will register. Isolated builds register none.
func Fit(driver, host *Facts) []Misfit { return FitIn(driver, host, Place{}) }

// FitIn returns what Fit does, and besides every reason why the driver cannot
// load into the host at this place.
func FitIn(driver, host *Facts, at Place) []Misfit {
	p := comparePackages(driver, host)
	p.place = at
	var out []Misfit
	for _, rule := range rules {
		out = append(out, rule(p)...)
	}
	return out
}

// rules stand in the order of the report. A rule may read what earlier ones
// noted in the pair.
var rules = []func(*pair) []Misfit{
	platform, buildMode, hostReady, reachable, hasRuntime, symbolic, goVersion, settings, sanitizers, standard, modules,
	libraries, cFunctions, loaded, severalPlugins,
}

// pair is a driver and a host, and what has been found out about them.
type pair struct {
	driver, host *Facts
	place        Place
	std          []string            // packages of the standard library that differ, sorted
	byModule     map[string][]string // other packages that differ, by module path
	explained    bool                // a cause was named that changes every package
	named        []string            // settings that were named as a cause
}

// comparable reports whether both sides have fingerprints to compare.
func (p *pair) comparable() bool { return len(p.driver.Packages) > 0 && len(p.host.Packages) > 0 }

// caused notes that the misfit accounts for the differing standard library,
// and for packages of modules whose version is the same on both sides.
func (p *pair) caused(m Misfit) Misfit {
	p.explained = true
	m.Count = len(p.std)
	for path, packages := range p.byModule {
		if p.sameVersion(path) {
			m.Count += len(packages)
		}
	}
	return m
}

func platform(p *pair) []Misfit {
	d, h := p.driver.GOOS+"/"+p.driver.GOARCH, p.host.GOOS+"/"+p.host.GOARCH
	if d == h {
		return nil
	}
	return []Misfit{p.caused(Misfit{
		Kind: KindPlatform, Subject: "platform", Host: h, Driver: d,
		Cause:  "machine code for one platform does not run on another",
		Remedy: likeHost("for " + h),
	})}
}

func buildMode(p *pair) []Misfit {
	if p.driver.BuildMode == "plugin" {
		return nil
	}
	return []Misfit{{
		Kind: KindBuildMode, Subject: "-buildmode", Host: "plugin", Driver: p.driver.BuildMode,
		Cause:  "the file is no plugin, and the Go runtime ends the process that loads it as one",
		Remedy: "drivercheck build DIR",
	}}
}

// hostReady looks for what a host needs itself: the plugin package, which makes
// the linker keep fingerprints, and a dynamic linker.
func hostReady(p *pair) []Misfit {
	m := Misfit{Kind: KindHost, Subject: "host program", Driver: "a plugin"}
	switch {
	case p.host.Settings["CGO_ENABLED"] == "0":
		m.Host, m.Cause = "CGO_ENABLED=0", "plugins are loaded through cgo, and the host was built without it"
		m.Remedy = "CGO_ENABLED=1 go build, for the host"
	case len(p.host.Packages) == 0:
		m.Host, m.Cause = "no package fingerprints", "the host does not import plugin, so it can load none"
		m.Remedy = "import the loader (or plugin itself) in the host's program and build it again"
	case len(p.host.Needed) == 0:
		m.Host, m.Cause = "no shared libraries", "the host is linked statically, so it has no dynamic linker to load plugins"
		m.Remedy = "build the host without -static"
	default:
		return nil
	}
	return []Misfit{m}
}

// reachable finds plugins that were renamed for the linker alone: the compiler
// had named the symbols already, and the runtime looks for them in vain.
func reachable(p *pair) []Misfit {
	d := p.driver
	if d.PluginPath == "" || len(d.Symbols) > 0 || !strings.Contains(d.Settings["-ldflags"], "-pluginpath") {
		return nil
	}
	return []Misfit{{
		Kind: KindPluginPath, Subject: "-ldflags=-pluginpath", Driver: d.PluginPath,
		Cause:  "the symbols of the plugin are not under the path given to the linker, so none can be looked up",
		Remedy: "build it without -pluginpath: drivercheck build DIR",
	}}
}

func hasRuntime(p *pair) []Misfit {
	if _, ok := p.driver.Packages["runtime"]; ok || p.driver.BuildMode != "plugin" || p.driver.GOARCH != p.host.GOARCH {
		return nil
	}
	return []Misfit{{
		Kind: KindNoRuntime, Subject: "runtime", Driver: "no fingerprint",
		Cause:  "nothing in the file tells with which standard library it was built",
		Remedy: "drivercheck build DIR",
	}}
}

// symbolic finds plugins that the host's runtime never hears of, which ends the
// process.
func symbolic(p *pair) []Misfit {
	if !p.driver.Symbolic || p.driver.BuildMode != "plugin" {
		return nil
	}
	return []Misfit{{
		Kind: KindSymbolic, Subject: "-Bsymbolic", Driver: "true",
		Cause:  "the linker was told to keep the plugin's symbols to itself, those of the Go runtime too, and a process can have only one of them",
		Remedy: "build it without -Bsymbolic in CGO_LDFLAGS or -extldflags",
	}}
}

func goVersion(p *pair) []Misfit {
	// Experiments are a setting of their own.
	d, h := Release(p.driver.GoVersion), Release(p.host.GoVersion)
	if d == h && d != "" || d == "" && unrecorded(h) && p.sameRuntime() {
		return nil
	}
	return []Misfit{p.caused(Misfit{
		Kind: KindGoVersion, Subject: "go version", Host: versionText(h), Driver: versionText(d),
		Cause:  "each Go release has a standard library and a runtime of its own, and a process holds only one",
		Remedy: likeHost("with " + versionText(h)),
	})}
}

// unrecorded reports whether plugins of a release do not say which it was.
func unrecorded(release string) bool {
	minor, ok := strings.CutPrefix(release, "go1.")
	minor, _, _ = strings.Cut(minor, ".")
	n, err := strconv.Atoi(minor)
	return ok && err == nil && n <= 19
}

// sameRuntime reports whether both sides have one and the same runtime.
func (p *pair) sameRuntime() bool {
	d, ok := p.driver.Packages["runtime"]
	h, ok2 := p.host.Packages["runtime"]
	return ok && ok2 && d == h
}

func versionText(v string) string {
	if v == "" {
		return "go1.19 or older"
	}
	return v
}

// Release returns the release in a Go version as a binary records it, without
// the experiments that may follow: "go1.26.8" for "go1.26.8 X:jsonv2" and for
// "go1.26.8-X:jsonv2".
func Release(goVersion string) string {
	if i := strings.Index(goVersion, "X:"); i > 0 {
		return goVersion[:i-1]
	}
	return goVersion
}

// standard is what remains when the files name no cause.
func standard(p *pair) []Misfit {
	if len(p.std) == 0 || p.explained {
		return nil
	}
	return []Misfit{{
		Kind: KindStandard, Subject: "standard library", Host: p.host.GoVersion, Driver: p.driver.GoVersion,
		Cause: fmt.Sprintf("both name the same Go version and settings, yet %s: one toolchain was changed, or a flag was used that is not recorded",
			differ(p.std)),
		Remedy: "build host and driver with one and the same toolchain and flags",
		Count:  len(p.std),
	}}
}
