package inspect

import (
	"fmt"
	"slices"
	"strings"
)

// setting is a build setting that can change the packages of the standard
// library, and how to give a driver the host's value of it.
type setting struct {
	name    string
	sure    bool   // every value gives fingerprints of its own
	unset   string // what it means when the go command did not record it
	applies func(value string) bool
	remedy  func(host string) string
	cause   string
}

var buildSettings = []setting{
	{name: "-trimpath", sure: true, unset: "false", remedy: boolFlag("-trimpath"),
		cause: "it changes the file names that every package carries, and so every fingerprint"},
	{name: "-race", sure: true, unset: "false", remedy: boolFlag("-race"),
		cause: "the race detector has a standard library and a runtime of its own"},
	{name: "-msan", sure: true, unset: "false", remedy: memorySanitizer,
		cause: "the memory sanitizer has a standard library and a runtime of its own"},
	{name: "-asan", sure: true, unset: "false", remedy: boolFlag("-asan"),
		cause: "the address sanitizer has a standard library and a runtime of its own"},
	{name: "GOEXPERIMENT", sure: true, remedy: environment("GOEXPERIMENT"),
		cause: "an experiment changes the toolchain and the standard library"},
	{name: "-compiler", unset: "gc", remedy: valueFlag("-compiler"),
		cause: "another compiler makes other code"},
	{name: "-tags", remedy: valueFlag("-tags"),
		cause: "build tags choose other files of the standard library"},
	{name: "-gcflags", applies: reachesStandard, remedy: valueFlag("-gcflags"),
		cause: "compiler flags for all packages change the standard library"},
	{name: "-asmflags", applies: reachesStandard, remedy: valueFlag("-asmflags"),
		cause: "assembler flags for all packages change the standard library"},
	{name: "-cover", unset: "false", remedy: boolFlag("-cover"),
		cause: "coverage counters change the packages they stand in"},
	{name: "-pgo", unset: "off", remedy: valueFlag("-pgo"),
		cause: "a profile has other functions inlined, in the standard library as well"},
	{name: "CGO_ENABLED", unset: "1", remedy: environment("CGO_ENABLED"),
		cause: "net, os/user and others have other files without cgo"},
	{name: "GOFIPS140", unset: "off", remedy: environment("GOFIPS140"),
		cause: "it chooses another version of the cryptography packages"},
	{name: "GOAMD64", unset: "v1", remedy: environment("GOAMD64"),
		cause: "the standard library is compiled for another level of the processor"},
	{name: "GOARM64", unset: "v8.0", remedy: environment("GOARM64"),
		cause: "the standard library is compiled for another level of the processor"},
}

// settings names the settings that keep a driver from loading. A setting that
// differs is no misfit by itself, as the runtime looks at fingerprints alone:
// only when packages differ whose source is the same, or when that cannot be
// known because one side has no fingerprints, is it a cause. Settings that may
// or may not matter are named only if no surer cause is.
func settings(p *pair) []Misfit {
	if len(p.driver.Settings) == 0 || len(p.host.Settings) == 0 {
		return nil // not recorded, which is not the same as not set
	}
	modulesOnly := len(p.std) == 0
	if p.comparable() && modulesOnly && !p.sameSourceDiffers() {
		return nil
	}
	var out []Misfit
	for _, sure := range []bool{true, false} {
		if !sure && (p.explained || !p.comparable()) || sure && p.comparable() && modulesOnly {
			continue
		}
		for _, s := range buildSettings {
			d, h := s.value(p.driver, modulesOnly), s.value(p.host, modulesOnly)
			if s.sure != sure || d == h {
				continue
			}
			p.named = append(p.named, s.name)
			m := Misfit{Kind: KindSetting, Subject: s.name, Host: h, Driver: d, Cause: s.cause, Remedy: s.remedy(h)}
			if modulesOnly && p.comparable() {
				m.Cause = "it can change the code of packages that both sides share at one version"
			}
			out = append(out, p.caused(m))
		}
	}
	return out
}

// sameSourceDiffers reports whether packages of a module differ that has one
// version on both sides.
func (p *pair) sameSourceDiffers() bool {
	for path := range p.byModule {
		if p.sameVersion(path) {
			return true
		}
	}
	return false
}

// value is the setting of one side, and what it means if it is not recorded or
// cannot reach the packages that differ.
func (s setting) value(f *Facts, modulesOnly bool) string {
	v, ok := f.Settings[s.name]
	if !ok || v == "" || s.applies != nil && !modulesOnly && !s.applies(v) {
		return s.unset
	}
	if s.name == "-tags" {
		tags := slices.DeleteFunc(strings.Split(v, ","), func(tag string) bool {
			return strings.HasPrefix(tag, "fips140v") // set by GOFIPS140
		})
		slices.Sort(tags)
		return strings.Join(slices.Compact(tags), ",")
	}
	return v
}

// reachesStandard reports whether flags with a package pattern touch more than
// the packages named on the command line.
func reachesStandard(flags string) bool {
	return strings.Contains(flags, "all=") || strings.Contains(flags, "std=")
}

func boolFlag(name string) func(string) string {
	return func(host string) string {
		if host == "true" {
			return likeHost("with " + name)
		}
		return likeHost("without " + name)
	}
}

// memorySanitizer names the C compiler besides: the one the go command takes by
// itself, gcc, does not have it.
func memorySanitizer(host string) string {
	if host == "true" {
		return "CC=clang " + likeHost("with -msan")
	}
	return likeHost("without -msan")
}

func valueFlag(name string) func(string) string {
	return func(host string) string {
		if host == "" {
			return likeHost("without " + name)
		}
		return likeHost(fmt.Sprintf("with %s='%s'", name, host))
	}
}

func environment(name string) func(string) string {
	return func(host string) string {
		if host == "" {
			return likeHost("without " + name + " in the environment")
		}
		return likeHost("with " + name + "=" + host)
	}
}

// likeHost is the way to a driver that fits. It says how besides, because the
// command takes all that from the host by itself.
func likeHost(how string) string {
	return "drivercheck build --host PROGRAM DIR, which builds the driver " + how + ", as the host is"
}
