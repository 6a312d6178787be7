package inspect

import (
	"errors"
	"maps"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// depending makes host and driver of a recipe share a module of one version.
func depending(r recipe, version, declaration string) recipe {
	out := r
	out.extra = maps.Clone(r.extra)
	if out.extra == nil {
		out.extra = map[string]string{}
	}
	out.extra["go.mod"] = "module " + r.module + "\n\ngo 1.26\n\nrequire example.com/dep " + version +
		"\n\nreplace example.com/dep => ./dep\n"
	out.extra["dep/go.mod"] = "module example.com/dep\n\ngo 1.26\n"
	out.extra["dep/dep.go"] = "package dep\n\n" + declaration + "\n"
	out.extra["use.go"] = "package main\n\nimport \"example.com/dep\"\n\nvar Used = dep.Value\n"
	return out
}

// Fit must say what plugin.Open will do. The host is a child process, because
// what a wrong verdict costs is a dead process.
func TestFitAgreesWithPluginOpen(t *testing.T) {
	depHost := depending(program, "v1.0.0", "var Value = 1").with("-trimpath")
	for _, tc := range []struct {
		name         string
		driver, host recipe
		want         []Kind
		subject      string
	}{
		{"same", tiny, program, nil, ""},
		{"stripped", tiny.with("-ldflags=-s -w"), program, nil, ""},
		{"both trimpath", tiny.with("-trimpath"), program.with("-trimpath"), nil, ""},
		{"a tag without effect", tiny.with("-tags=nothing"), program, nil, ""},
		{"trimpath on one side", tiny.with("-trimpath"), program, []Kind{KindSetting}, "-trimpath"},
		{"trimpath on the other", tiny, program.with("-trimpath"), []Kind{KindSetting}, "-trimpath"},
		{"same dependency", depending(tiny, "v1.0.0", "var Value = 1").with("-trimpath"), depHost, nil, ""},
		{"other dependency", depending(tiny, "v1.1.0", "var Value = \"one\"").with("-trimpath"), depHost, []Kind{KindModule}, "example.com/dep"},
		{"other source", depending(tiny, "v1.0.0", "var Value = \"one\"").with("-trimpath"), depHost, []Kind{KindModule}, "example.com/dep"},
		{"race", tiny.with("-race"), program, []Kind{KindSetting}, "-race"},
		{"renamed for the linker", tiny.with("-ldflags=-pluginpath=foo/bar.x"), program, []Kind{KindPluginPath}, "-ldflags=-pluginpath"},
		{"no plugin", plain.inMode("pie"), program, []Kind{KindBuildMode}, "-buildmode"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			driver, host := build(t, tc.driver), build(t, tc.host)
			misfits := Fit(driver.facts(t), host.facts(t))
			var kinds []Kind
			for _, m := range misfits {
				kinds = append(kinds, m.Kind)
				assert.NotEmpty(t, m.Remedy)
				assert.NotEmpty(t, m.Cause)
			}
			assert.Equal(t, tc.want, kinds, "%v", misfits)
			if len(misfits) == 1 {
				assert.Equal(t, tc.subject, misfits[0].Subject)
			}

			text, err := exec.Command(string(host), string(driver)).CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			assert.Equal(t, len(misfits) == 0, err == nil, "plugin.Open says: %s", strings.TrimSpace(string(text)))
		})
	}
}

// facts of an invented pair, equal until a case bends one side.
func invented() (driver, host *Facts) {
	make := func(mode string) *Facts {
		return &Facts{
			GoVersion: "go1.26.8", GOOS: "linux", GOARCH: "amd64", BuildMode: mode,
			Settings: map[string]string{"-buildmode": mode, "CGO_ENABLED": "1", "GOAMD64": "v1"},
			Modules: []Module{{Path: "golang.org/x/sys/nested", Version: "v0.3.0"}, {Path: "golang.org/x/sys", Version: "v0.1.0"},
				{Path: "example.com/" + mode, Version: "(devel)"}, {Path: "nodomain", Version: "v1.0.0"}},
			Symbols: []string{"NewDriver"}, PluginPath: "example.com/plugin",
			Packages: map[string]Fingerprint{"runtime": {1}, "internal/abi": {2}, "vendor/golang.org/x/net": {3}, "golang.org/x/sys/unix": {4},
				"golang.org/x/sys/cpu": {5}, "golang.org/x/sys/nested/a": {6}, "nodomain/b": {7}},
			Needed: []string{"libc.so.6"},
		}
	}
	return make("plugin"), make("exe")
}

func changeStandard(f *Facts) {
	f.Packages["runtime"], f.Packages["internal/abi"], f.Packages["vendor/golang.org/x/net"] = Fingerprint{9}, Fingerprint{9}, Fingerprint{9}
}

// unversion gives both sides a module from a directory, that differs.
func unversion(d, h *Facts) {
	h.Modules[3].Version = "(devel)"
	d.Modules[3].Version, d.Modules[3].Replace = "v0.0.0", &Module{Path: "../nodomain", Version: "(devel)"}
	d.Packages["nodomain/b"] = Fingerprint{9}
}

func TestFit(t *testing.T) {
	t.Setenv("ASAN_OPTIONS", "")
	type is struct {
		kind          Kind
		subject       string
		count         int
		cause, remedy string // parts of them
	}
	for _, tc := range []struct {
		name string
		bend func(d, h *Facts)
		want []is
	}{
		{"fits", func(d, h *Facts) {}, nil},
		{"shares nothing but fits", func(d, h *Facts) {
			d.Packages = map[string]Fingerprint{"runtime": {1}, "id/golang.org/x/sys/unix": {99}}
		}, nil},
		{"go version explains everything", func(d, h *Facts) {
			d.GoVersion = "go1.25.0"
			changeStandard(d)
			d.Packages["golang.org/x/sys/unix"] = Fingerprint{9}
		}, []is{{KindGoVersion, "go version", 4, "", "--host PROGRAM DIR, which builds the driver with go1.26.8, as the host is"}}},
		{"version with experiment", func(d, h *Facts) { h.GoVersion = "go1.26.8-X:jsonv2" }, nil},
		{"experiment", func(d, h *Facts) {
			h.GoVersion, h.Settings["GOEXPERIMENT"] = "go1.26.8-X:jsonv2", "jsonv2"
			changeStandard(d)
		}, []is{{KindSetting, "GOEXPERIMENT", 3, "", "with GOEXPERIMENT=jsonv2"}}},
		{"unreleased host", func(d, h *Facts) { h.GoVersion = "devel go1.27-abcdef" },
			[]is{{KindGoVersion, "go version", 0, "", "with devel go1.27-abcdef"}}},
		{"platform", func(d, h *Facts) { d.GOARCH = "arm64"; changeStandard(d) },
			[]is{{KindPlatform, "platform", 3, "", "for linux/amd64"}}},
		{"platform, and a setting that would matter there too", func(d, h *Facts) {
			d.GOARCH, d.Settings["-trimpath"], d.Settings["GOARM64"] = "arm64", "true", "v9.0"
			changeStandard(d)
		}, []is{{KindPlatform, "platform", 3, "", ""}, {KindSetting, "-trimpath", 3, "", ""}}},
		{"renamed to the path it has", func(d, h *Facts) { d.Settings["-ldflags"] = "-pluginpath=example.com/plugin" }, nil},
		{"two settings", func(d, h *Facts) {
			changeStandard(d)
			d.Settings["-trimpath"], h.Settings["-race"] = "true", "true"
			d.Settings["GOAMD64"] = "v3"
		}, []is{{KindSetting, "-trimpath", 3, "", "without -trimpath"}, {KindSetting, "-race", 3, "", "with -race"}}},
		{"a lesser setting only where no surer one is", func(d, h *Facts) {
			changeStandard(d)
			h.Settings["GOAMD64"], h.Settings["-tags"], d.Settings["-tags"] = "v3", "b,a", "a,b"
		}, []is{{KindSetting, "GOAMD64", 3, "", "with GOAMD64=v3"}}},
		{"a setting that changed nothing", func(d, h *Facts) { d.Settings["-tags"], d.Settings["-trimpath"] = "x", "true" }, nil},
		{"flags for the program alone", func(d, h *Facts) { changeStandard(d); d.Settings["-gcflags"] = "-N" },
			[]is{{KindStandard, "standard library", 3, "internal/abi, runtime, vendor/golang.org/x/net differ", ""}}},
		{"flags for all packages", func(d, h *Facts) { changeStandard(d); h.Settings["-gcflags"] = "all=-N" },
			[]is{{KindSetting, "-gcflags", 3, "", "-gcflags='all=-N'"}}},
		{"version and module", func(d, h *Facts) {
			d.GoVersion = "go1.25.0"
			changeStandard(d)
			d.Modules[1].Version, d.Packages["golang.org/x/sys/unix"] = "v0.2.0", Fingerprint{9}
		}, []is{{KindGoVersion, "go version", 3, "", ""}, {KindModule, "golang.org/x/sys", 1, "", "go get golang.org/x/sys@v0.1.0"}}},
		{"modules", func(d, h *Facts) {
			d.Modules[1].Version = "v0.2.0"
			d.Packages["golang.org/x/sys/unix"], d.Packages["golang.org/x/sys/cpu"] = Fingerprint{9}, Fingerprint{9}
			d.Packages["golang.org/x/sys/nested/a"] = Fingerprint{9}
		}, []is{
			{KindModule, "golang.org/x/sys", 2, "golang.org/x/sys/cpu, golang.org/x/sys/unix differ", "go get golang.org/x/sys@v0.1.0"},
			{KindModule, "golang.org/x/sys/nested", 1, "what it imports: golang.org/x/sys", isolated},
		}},
		{"module without a domain is no standard library", func(d, h *Facts) { d.Packages["nodomain/b"] = Fingerprint{9} },
			[]is{{KindModule, "nodomain", 1, "nodomain/b differs", isolated}}},
		{"sources without a version, and a flag", func(d, h *Facts) {
			unversion(d, h)
			changeStandard(d)
			d.Settings["-race"] = "true"
		}, []is{{KindSetting, "-race", 4, "", "without -race"}}},
		{"sources without a version", unversion, []is{{KindModule, "nodomain", 1, "the version is the same", isolated}}},
		{"package of a module that neither side lists", func(d, h *Facts) {
			d.Packages["gone.example/x"], h.Packages["gone.example/x"] = Fingerprint{1}, Fingerprint{2}
		}, []is{{KindModule, "gone.example/x", 1, "gone.example/x differs", isolated}}},
		{"a module's path is not any prefix", func(d, h *Facts) {
			d.Packages["nodomainx"], h.Packages["nodomainx"] = Fingerprint{1}, Fingerprint{2}
		}, []is{{KindStandard, "standard library", 1, "nodomainx differs", ""}}},
		{"replaced in the host", func(d, h *Facts) {
			h.Modules[1].Replace = &Module{Path: "../sys"}
			d.Packages["golang.org/x/sys/unix"] = Fingerprint{9}
		}, []is{{KindModule, "golang.org/x/sys", 1, "replaced by another one on one side", isolated}}},
		{"patched", func(d, h *Facts) {
			d.Modules[1].Sum, h.Modules[1].Sum = "h1:one=", "h1:two="
			d.Packages["golang.org/x/sys/unix"] = Fingerprint{9}
		}, []is{{KindModule, "golang.org/x/sys", 1, "its hash is not", isolated}}},
		{"a tag that only modules know", func(d, h *Facts) {
			d.Settings["-tags"] = "special"
			d.Packages["golang.org/x/sys/unix"] = Fingerprint{9}
		}, []is{{KindSetting, "-tags", 1, "packages that both sides share", "without -tags"}}},
		{"the tag that comes with FIPS", func(d, h *Facts) {
			changeStandard(d)
			d.Settings["GOFIPS140"], d.Settings["-tags"] = "v1.0.0-c2097c7c", "fips140v1.0"
		}, []is{{KindSetting, "GOFIPS140", 3, "cryptography", "with GOFIPS140=off"}}},
		{"flags of the C compiler for a sanitizer", func(d, h *Facts) { d.Sanitizers = []Sanitizer{{"address", "libasan.so.8"}} },
			[]is{{KindSetting, "-asan", 0, "from the start", "without -fsanitize=address"}}},
		{"flags of clang for all sanitizers", func(d, h *Facts) {
			d.Sanitizers = []Sanitizer{{"address", ""}, {"memory", ""}, {"thread", ""}, {"undefined", ""}}
		}, []is{{KindSetting, "-asan", 0, "the host does not have it", "without -fsanitize=address"},
			{KindSetting, "-msan", 0, "the host does not have it", "without -fsanitize=memory"},
			{KindSetting, "-fsanitize=thread", 0, "the host does not have it", "without -fsanitize=thread"},
			{KindSetting, "-fsanitize=undefined", 0, "the host does not have it", "without -fsanitize=undefined"}}},
		{"a library of a sanitizer, too late", func(d, h *Facts) { d.Sanitizers = []Sanitizer{{"thread", "libtsan.so.2"}} },
			[]is{{KindSetting, "-fsanitize=thread", 0, "from the start", "without -fsanitize=thread"}}},
		{"a library that comes late enough", func(d, h *Facts) { d.Sanitizers = []Sanitizer{{"undefined", "libubsan.so.1"}} }, nil},
		{"sanitizers on both sides, by gcc", func(d, h *Facts) {
			d.Sanitizers, h.Sanitizers = []Sanitizer{{"address", "libasan.so.8"}}, []Sanitizer{{"address", "libasan.so.8"}}
		}, []is{{KindSetting, "-asan", 0, "the same variable", "ASAN_OPTIONS=detect_odr_violation=0"}}},
		{"sanitizers on both sides, by clang", func(d, h *Facts) {
			d.Sanitizers, h.Sanitizers = []Sanitizer{{"address", ""}, {"memory", ""}}, []Sanitizer{{"address", "self"}, {"memory", "self"}}
		}, []is{{KindSetting, "-asan", 0, "the same variable", "ASAN_OPTIONS=detect_odr_violation=0"}}},
		{"sanitizers of two compilers", func(d, h *Facts) {
			d.Sanitizers, h.Sanitizers = []Sanitizer{{"address", "libasan.so.8"}}, []Sanitizer{{"address", "self"}}
		}, []is{{KindSetting, "-asan", 0, "another C compiler", "one C compiler"}}},
		{"sanitizers of two compilers, the other way", func(d, h *Facts) {
			d.Sanitizers, h.Sanitizers = []Sanitizer{{"address", ""}}, []Sanitizer{{"address", "libasan.so.8"}}
		}, nil},
		{"a sanitizer that the host found", func(d, h *Facts) {
			d.Sanitizers, h.Sanitizers = []Sanitizer{{"thread", ""}}, []Sanitizer{{"thread", ""}}
		}, nil},
		{"a sanitizer that only clang has", func(d, h *Facts) { h.Settings["-msan"] = "true"; changeStandard(d) },
			[]is{{KindSetting, "-msan", 3, "", "CC=clang drivercheck build --host PROGRAM DIR, which builds the driver with -msan"}}},
		{"a sanitizer that was named", func(d, h *Facts) {
			d.Settings["-msan"], d.Sanitizers = "true", []Sanitizer{{"memory", ""}}
			changeStandard(d)
		}, []is{{KindSetting, "-msan", 3, "", "without -msan"}}},
		{"a sanitizer in the host alone", func(d, h *Facts) { h.Settings["-asan"] = "true"; changeStandard(d) },
			[]is{{KindSetting, "-asan", 3, "", "with -asan"}}},
		{"symbolic", func(d, h *Facts) { d.Symbolic = true }, []is{{KindSymbolic, "-Bsymbolic", 0, "only one", "without -Bsymbolic"}}},
		{"both too old to say how old", func(d, h *Facts) { d.GoVersion, h.GoVersion = "", "go1.19.8" }, nil},
		{"both too old, and of two releases", func(d, h *Facts) { d.GoVersion, h.GoVersion = "", "go1.19.8"; changeStandard(d) },
			[]is{{KindGoVersion, "go version", 3, "", "with go1.19.8"}}},
		{"C functions of the host", func(d, h *Facts) {
			d.CImports, h.CFunctions = []string{"a", "b", "c"}, []string{"b", "c", "d"}
		}, []is{{KindCFunctions, "C functions", 0, "loaded first", "drivercheck build DIR"}}},
		{"host without plugin", func(d, h *Facts) { h.Packages = nil; d.Settings["-trimpath"] = "true" },
			[]is{{KindHost, "host program", 0, "does not import plugin", ""}, {KindSetting, "-trimpath", 0, "", ""}}},
		{"host without cgo", func(d, h *Facts) { h.Packages, h.Settings["CGO_ENABLED"] = nil, "0" },
			[]is{{KindHost, "host program", 0, "cgo", "CGO_ENABLED=1"}}},
		{"static host", func(d, h *Facts) { h.Needed = nil }, []is{{KindHost, "host program", 0, "statically", "-static"}}},
		{"driver without runtime", func(d, h *Facts) { delete(d.Packages, "runtime") }, []is{{KindNoRuntime, "runtime", 0, "", ""}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			driver, host := invented()
			tc.bend(driver, host)
			got := Fit(driver, host)
			require.Len(t, got, len(tc.want), "%v", got)
			for i, want := range tc.want {
				assert.Equal(t, want, is{got[i].Kind, got[i].Subject, got[i].Count, want.cause, want.remedy})
				assert.Contains(t, got[i].Cause, want.cause)
				assert.Contains(t, got[i].Remedy, want.remedy)
				if want.remedy == isolated {
					assert.Equal(t, isolated, got[i].Remedy)
				}
			}
			assert.Equal(t, got, Fit(driver, host), "the order is stable")
		})
	}
	driver, host := invented()
	assert.Nil(t, Fit(driver, host))
	assert.Len(t, rules, 15, "a new rule needs a case above")
}

// What is loaded already, in the order of the report.
func TestFitInLoaded(t *testing.T) {
	_, other := invented()
	same, _ := invented()
	same.Manifest = `{"name":"x","version":"1.0.0","contract":{"name":"sql","version":"^1.0"}}`
	elsewhere := *same
	elsewhere.PluginPath = "example.com/elsewhere"
	for _, tc := range []struct {
		name    string
		loaded  Loaded
		subject string
		remedy  string
	}{
		{"plugin path", Loaded{Facts: same}, "plugin path example.com/plugin", "a plugin path of its own"},
		{"name and version, and plugin path", Loaded{Name: "x", Version: "1.0.0", Facts: same}, "driver x 1.0.0", "a version of its own"},
		{"name and version", Loaded{Name: "x", Version: "1.0.0", Facts: &elsewhere}, "driver x 1.0.0", "a version of its own"},
		{"other version", Loaded{Name: "x", Version: "1.0.1", Facts: &elsewhere}, "", ""},
		{"other path", Loaded{Facts: &elsewhere}, "", ""},
	} {
		tc.loaded.File, tc.loaded.SHA256 = "first.so", "0123456789abcdef"
		got := FitIn(same, other, Place{Loaded: []Loaded{tc.loaded}})
		if tc.subject == "" {
			assert.Empty(t, got, tc.name)
			continue
		}
		require.Len(t, got, 1, tc.name)
		assert.Equal(t, Misfit{Kind: KindLoaded, Subject: tc.subject, Host: "first.so (sha256 0123456789ab)", Driver: "other content",
			Cause: got[0].Cause, Remedy: got[0].Remedy}, got[0])
		assert.Contains(t, got[0].Remedy, tc.remedy)
	}
}

// Two sanitized files share a process if it is told to let them.
func TestFitAsksTheSanitizersOptions(t *testing.T) {
	driver, host := invented()
	driver.Sanitizers, host.Sanitizers = []Sanitizer{{"address", ""}}, []Sanitizer{{"address", "self"}}
	t.Setenv("ASAN_OPTIONS", "detect_leaks=0:detect_odr_violation=0")
	assert.Empty(t, Fit(driver, host))
}

// The releases that go wrong do so on one platform, with a second plugin.
func TestBrokenToolchain(t *testing.T) {
	driver, host := invented()
	first := Loaded{Facts: &Facts{PluginPath: "example.com/first"}}
	for _, side := range []*Facts{driver, host} {
		side.GOOS, side.GOARCH, side.GoVersion = "darwin", "arm64", "go1.27.1"
	}
	assert.Empty(t, Fit(driver, host), "the first plugin")
	got := FitIn(driver, host, Place{Loaded: []Loaded{first}})
	require.Len(t, got, 1)
	assert.Equal(t, KindToolchain, got[0].Kind)
	assert.Contains(t, got[0].Cause, "golang/go#81303")
	driver.GoVersion, host.GoVersion = "go1.27.2", "go1.27.2"
	assert.Empty(t, FitIn(driver, host, Place{Loaded: []Loaded{first}}))
	driver.GoVersion, host.GoVersion, driver.GOARCH, host.GOARCH = "go1.27.1", "go1.27.1", "amd64", "amd64"
	assert.Empty(t, FitIn(driver, host, Place{Loaded: []Loaded{first}}))
}

func TestDiffer(t *testing.T) {
	assert.Equal(t, "a differs", differ([]string{"a"}))
	assert.Equal(t, "a, b differ", differ([]string{"a", "b"}))
	assert.Equal(t, "a, b, c and 2 more packages differ", differ([]string{"a", "b", "c", "d", "e"}))
}

func TestMisfitString(t *testing.T) {
	m := Misfit{Subject: "-trimpath", Host: "false", Cause: "it changes names"}
	assert.Equal(t, "-trimpath: host has false, driver has none: it changes names", m.String())
}

func TestRelease(t *testing.T) {
	for version, want := range map[string]string{"go1.26.8": "go1.26.8", "go1.26.8 X:jsonv2": "go1.26.8", "go1.26.8-X:a,b": "go1.26.8",
		"": "", "X:": "X:", "devel go1.27-abc": "devel go1.27-abc"} {
		assert.Equal(t, want, Release(version))
	}
}
