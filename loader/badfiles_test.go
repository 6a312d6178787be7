//go:build linux

package loader

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
)

// bad is a driver file that is refused, and how.
type bad struct {
	step
	stage  Stage
	driver string // LoadError.Driver
	wanted string // parts of the texts
	found  string
	remedy string
	is     string // what errors.Is or As finds
}

// TestBadFiles loads all bad files in one process, then a good one, then the
// bad ones again: the process lives, and says of each what is wrong.
func TestBadFiles(t *testing.T) {
	cases := map[string]bad{}
	for _, group := range []func(*testing.T) map[string]bad{noDrivers, noPlugins, misfits, manifests, newDrivers, repeats} {
		maps.Copy(cases, group(t))
	}
	names := slices.Sorted(maps.Keys(cases))
	var steps []step
	for _, name := range names {
		steps = append(steps, cases[name].step)
	}
	other := fixture.Driver(t, fixture.Answering("other", "other", "2.0.0"))
	steps = slices.Concat(steps, []step{{File: good(t)}}, steps, []step{{File: other}, {File: good(t)}})
	outcomes := inChild(t, steps)
	require.Len(t, outcomes, len(steps))

	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			cases[name].check(t, outcomes[i])
			again := outcomes[len(names)+1+i]
			checkError(t, again.LoadError, again.Text, cases[name].stage)
			require.Less(t, again.Took, 10*time.Second, "the second try hung")
		})
	}
	for i, version := range map[int]string{len(names): "1.2.0", len(steps) - 2: "2.0.0", len(steps) - 1: "1.2.0"} {
		require.Equal(t, version, outcomes[i].Answer, "a good driver among the bad ones: %+v", outcomes[i])
	}
}

func (b bad) check(t *testing.T, o outcome) {
	require.Empty(t, o.Answer, "it was loaded")
	require.Empty(t, o.Other, "not a *LoadError")
	checkError(t, o.LoadError, o.Text, b.stage)
	if b.File != "" {
		require.Equal(t, b.File, o.File)
	}
	require.Equal(t, b.driver, o.Driver)
	require.Contains(t, o.Wanted, b.wanted)
	require.Contains(t, o.Found, b.found)
	require.Contains(t, o.Remedy, b.remedy)
	if b.is != "" {
		require.Contains(t, o.Is, b.is)
	}
}

// noDrivers are paths with nothing there that could be a driver file.
func noDrivers(t *testing.T) map[string]bad {
	dir := t.TempDir()
	at := func(name string) step { return step{File: filepath.Join(dir, name)} }
	require.NoError(t, syscall.Mkfifo(at("fifo").File, 0o644))
	require.NoError(t, os.Symlink(good(t), at("link").File))
	require.NoError(t, os.Symlink("nowhere", at("dangling").File))
	require.NoError(t, os.Symlink("loop", at("loop").File))
	following, looping := at("dangling"), at("loop")
	following.Config.FollowLinks, looping.Config.FollowLinks = true, true
	socket, err := net.Listen("unix", at("socket").File)
	require.NoError(t, err)
	t.Cleanup(func() { socket.Close() })
	small := step{File: good(t), Config: Config{MaxSize: 1000}}
	return map[string]bad{
		"no such file":    {step: at("missing.so"), stage: StageAdmit, wanted: "a driver file", found: "no such file", remedy: "check the path", is: "not-exist"},
		"a name of NUL":   {step: at("a\x00b"), stage: StageAdmit, found: "invalid argument"},
		"directory":       {step: step{File: dir}, stage: StageAdmit, found: "a directory", remedy: "drivercheck build " + dir},
		"device":          {step: step{File: "/dev/null"}, stage: StageAdmit, wanted: "a regular file", found: "a device"},
		"FIFO":            {step: at("fifo"), stage: StageAdmit, wanted: "a regular file", found: "a FIFO"},
		"symbolic link":   {step: at("link"), stage: StageAdmit, found: "a symbolic link", remedy: "FollowLinks"},
		"link to nothing": {step: following, stage: StageAdmit, wanted: "a driver file", found: "a symbolic link to nowhere, and no such file", remedy: "ln -sfn", is: "not-exist"},
		"loop of links":   {step: looping, stage: StageAdmit, wanted: "a driver file", found: "a loop of symbolic links", remedy: "ln -sfn"},
		"socket":          {step: at("socket"), stage: StageAdmit, wanted: "a regular file", found: "a socket"},
		"below a file":    {step: step{File: filepath.Join(good(t), "x.so")}, stage: StageAdmit, found: "not a directory", remedy: "check the path"},
		"empty":           {step: step{File: write(t, "empty.so", nil)}, stage: StageAdmit, found: "an empty file"},
		"too large":       {step: small, stage: StageAdmit, wanted: "at most 1000 bytes", remedy: "MaxSize"},
		"name as a path":  {step: step{Name: "../good"}, stage: StageFind, driver: "../good", found: `"../good"`, remedy: "by its name"},
	}
}

// noPlugins are files that would end the process if it opened them.
func noPlugins(t *testing.T) map[string]bad {
	whole, err := os.ReadFile(good(t))
	require.NoError(t, err)
	program := fixture.Source{Name: "program", Files: map[string]string{"main.go": "package main\n\nfunc main() {}\n"}}
	program.Args = []string{"-buildmode=exe", "-race=false"}
	program.Env = []string{"GOARCH=386", "CGO_ENABLED=0"}
	library := fixture.Plain("cshared", fixture.Manifest("cshared", "1.0.0"), "import \"C\"\n\nfunc main() {}")
	library.Args = []string{"-buildmode=c-shared"}
	cases := map[string]bad{
		"text":            {step: step{File: write(t, "text.so", []byte("name: driver\n"))}, stage: StageInspect, wanted: "ELF", found: "6e 61 6d 65"},
		"C library":       {step: step{File: fixture.CLibrary(t)}, stage: StageInspect, wanted: "made by Go", remedy: "drivercheck build"},
		"c-shared":        {step: step{File: fixture.Build(t, library)}, stage: StageFit, wanted: "plugin", found: "c-shared", remedy: "drivercheck build"},
		"program for 386": {step: step{File: fixture.Build(t, program)}, stage: StageFit, wanted: "amd64", found: "386"},
		"another machine": {step: step{File: patched(t, good(t), setMachine(elf.EM_AARCH64))}, stage: StageInspect, found: "arm64"},
		"another byte order": {step: step{File: patched(t, good(t), func(_ *testing.T, b []byte) []byte {
			b[elf.EI_DATA] = 3
			return b
		})}, stage: StageInspect, found: "byte order 3"},
		// A sound plugin for a machine whose tables are not read.
		"plugin for another machine": {step: step{File: patched(t, good(t), setMachine(elf.EM_S390),
			replace("GOARCH=amd64", "GOARCH=s390x"))}, stage: StageFit, wanted: "amd64", found: "s390x", remedy: "for linux/amd64"},
	}
	for _, n := range []int{1, 16, 63, 64, 1000, 64 << 10, len(whole) / 2, len(whole) - 4096, len(whole) - 1} {
		cases[fmt.Sprintf("first %d bytes", n)] = bad{step: step{File: write(t, "cut.so", whole[:n])}, stage: StageInspect}
	}
	return cases
}

// misfits are sound plugins for another host.
func misfits(t *testing.T) map[string]bad {
	flagged := fixture.Plain("flagged", fixture.Manifest("flagged", "1.0.0"), "func NewDriver() int { return 0 }")
	version := fixture.Host(t).GoVersion
	another := version[:len(version)-1] + "_"
	trimpath := fixture.Host(t).Settings["-trimpath"] == "true"
	flagged.Args = []string{fmt.Sprintf("-trimpath=%v", !trimpath)}
	return map[string]bad{
		"other flags": {step: step{File: fixture.Build(t, flagged)}, stage: StageFit, driver: "flagged",
			wanted: fmt.Sprintf("-trimpath %v", trimpath), found: fmt.Sprint(!trimpath), remedy: "-trimpath"},
		"other Go version": {step: step{File: patched(t, good(t), replace(version, another))}, stage: StageFit, driver: "good",
			wanted: "go version " + version, found: another, remedy: "with " + version},
		"other version of a dependency": {step: step{File: otherContract(t)}, stage: StageFit, driver: "dependent",
			wanted: fixture.ContractModule, found: "v1.9.0"},
	}
}

// otherContract returns a plugin with a contract that has one more name than
// the host's.
func otherContract(t *testing.T) string {
	s := fixture.Plain("dependent", fixture.Manifest("dependent", "1.0.0"),
		"import \""+fixture.ContractModule+"\"\n\nfunc NewDriver() contract.Driver { return nil }")
	s.Files["go.mod"] = "module example.com/fixture/dependent\n\ngo 1.26\n\nrequire " + fixture.ContractModule + " v1.9.0\n\n" +
		"replace " + fixture.ContractModule + " => ./contract\n"
	sources, err := filepath.Glob("../contract/*")
	require.NoError(t, err)
	for _, file := range sources {
		if text, err := os.ReadFile(file); err == nil && !strings.HasSuffix(file, "_test.go") {
			s.Files["contract/"+filepath.Base(file)] = string(text)
		}
	}
	s.Files["contract/more.go"] = "package contract\n\n// More is new.\nvar More int\n"
	return fixture.Build(t, s)
}

// manifests are drivers whose manifests are faulty, or not what is wanted.
func manifests(t *testing.T) map[string]bad {
	const room = 512
	sound := fixture.Manifest("patched", "1.0.0")
	fill := func(text string) string { return text + strings.Repeat(" ", room-len(text)) }
	file := fixture.Build(t, fixture.Plain("patched", fill(sound), "func NewDriver() int { return 0 }"))
	with := func(old, new string) step {
		return step{File: patched(t, file, replace(fill(sound), fill(strings.Replace(sound, old, new, 1))))}
	}
	asked := step{File: file, Config: Config{Versions: map[string]string{"patched": "^2.0"}}}
	named := func(name, manifest string) step {
		dir := filepath.Dir(install(t, patched(t, file, replace(fill(sound), fill(manifest))), name))
		return step{Name: "patched", Config: Config{Dirs: []string{dir}}}
	}
	unnamed := fixture.Source{Name: "unnamed", Files: map[string]string{"main.go": "package main\n\nfunc NewDriver() int { return 0 }\n"}}
	typed := fixture.Source{Name: "typed", Files: map[string]string{"main.go": "package main\n\nvar DriverManifest = []byte(`{}`)\n\nfunc NewDriver() int { return 0 }\n"}}
	huge := fixture.Plain("huge", sound+strings.Repeat(" ", contract.MaxManifestSize), "func NewDriver() int { return 0 }")
	return map[string]bad{
		"no manifest":              {step: step{File: fixture.Build(t, unnamed)}, stage: StageInspect, wanted: "DriverManifest", found: "none", remedy: "driver.json"},
		"manifest of another type": {step: step{File: fixture.Build(t, typed)}, stage: StageInspect, wanted: "string", remedy: "DriverManifest string"},
		"manifest over 64 KiB":     {step: step{File: fixture.Build(t, huge)}, stage: StageInspect, wanted: "65536 bytes", found: "656"},
		"invalid JSON":             {step: with(`{`, `<`), stage: StageInspect, wanted: "a valid manifest", found: "line 1", remedy: "correct driver.json"},
		"unknown key":              {step: with(`"name"`, `"nmae"`), stage: StageInspect, found: `unknown key "nmae"`},
		"bad version":              {step: with("1.0.0", "v1.0"), stage: StageInspect, found: `"v1.0" is not a semantic version`},
		"bad constraint":           {step: with("^1.0", "about one"), stage: StageAgree, driver: "patched", wanted: `such as "^1.0"`, found: `"about one"`, remedy: "correct driver.json"},
		"other contract":           {step: with(`"sql"`, `"codec"`), stage: StageAgree, driver: "patched", wanted: "contract sql", found: "contract codec"},
		"newer contract": {step: with("^1.0", "^2.0"), stage: StageAgree, driver: "patched",
			wanted: "accepts contract sql " + contract.SQL.Version(), found: "accepts sql ^2.0"},
		"pre-release of the contract": {step: with("^1.0", "<1.0.0-0"), stage: StageAgree, driver: "patched", found: "<1.0.0-0"},
		"version that the application refuses": {step: asked, stage: StageAgree, driver: "patched",
			wanted: "^2.0", found: "version 1.0.0", remedy: "install a version"},
		"file of another name": {step: named("patched.so", strings.Replace(sound, "patched", "pitched", 1)), stage: StageAgree, driver: "pitched",
			wanted: "driver patched", found: "driver pitched", remedy: "pitched.so"},
		"file of another version": {step: named("patched-v1.5.0.so", sound), stage: StageAgree, driver: "patched",
			wanted: "version 1.5.0", found: "version 1.0.0", remedy: "patched-v1.0.0.so"},
		"path of another version": {step: step{File: install(t, file, "any-v1.5.0.so")}, stage: StageAgree, driver: "patched",
			wanted: "version 1.5.0", found: "version 1.0.0", remedy: "patched-v1.0.0.so"},
	}
}

// complete is what a right driver of package main would need.
const complete = `
import "database/sql/driver"

type own struct{}

func (own) Name() string                                   { return NAME }
func (own) OpenConnector(string) (driver.Connector, error) { return nil, nil }

type Contract = interface {
	Name() string
	OpenConnector(dsn string) (driver.Connector, error)
}

`

// badCode are plugins that fit, and whose code does not do what it must. NAME
// stands for the name in the manifest. The stage is bind unless said.
var badCode = []struct {
	name, declarations string
	bad
}{
	{"none", "func NewDrivers() int { return 0 }",
		bad{stage: StageInspect, wanted: "NewDriver", found: "none", remedy: "func NewDriver() interface"}},
	{"parameters", "func NewDriver(dsn string) int { return 0 }",
		bad{found: "type func(string) int, which takes 1 values and returns 1, instead of 0 and 1"}},
	{"missing method", "func NewDriver() interface{ Name() string } { return nil }",
		bad{found: "method OpenConnector(string) (database/sql/driver.Connector, error) is missing", remedy: "the contract's Driver"}},
	{"not a function", "var NewDriver = 42",
		bad{found: "type int, which is not a function"}},
	{"named interface", complete + "type Named interface{ Contract }\n\nfunc NewDriver() Named { return own{} }",
		bad{found: "Named, which has every method but is not the contract's interface literal"}},
	{"concrete type", complete + "func NewDriver() *own { return &own{} }",
		bad{found: "*example.com/fixture/concretetype.own, which has every method but is not"}},
	{"nil variable", complete + "var NewDriver func() Contract",
		bad{wanted: "a function in the variable NewDriver", found: "nil"}},
	{"panic", complete + `func NewDriver() Contract { panic("no\nway") }`,
		bad{wanted: "NewDriver that returns", found: "a panic: no\nway", is: "panic"}},
	{"nil", complete + "func NewDriver() Contract { return nil }",
		bad{wanted: "a driver from NewDriver", found: "nil"}},
	{"nil pointer", complete + "func NewDriver() Contract { return (*own)(nil) }",
		bad{wanted: "a driver from NewDriver", found: "nil"}},
	{"Name panics", complete + "type bad struct{ own }\n\nfunc (bad) Name() string { panic(7) }\n\nfunc NewDriver() Contract { return bad{} }",
		bad{wanted: "Name that returns", found: "a panic: 7", is: "panic"}},
	{"other name", complete + "type bad struct{ own }\n\nfunc (bad) Name() string { return \"imposter\" }\n\nfunc NewDriver() Contract { return bad{} }",
		bad{wanted: "newdriver-othername", found: `"imposter"`, remedy: "driver.json"}},
	{"changed manifest", complete + "func init() { DriverManifest = \"{}\" }\n\nfunc NewDriver() Contract { return own{} }",
		bad{wanted: "the DriverManifest that the file holds", found: "changed", remedy: "do not assign"}},
	{"Goexit", "import \"runtime\"\n" + complete + "func NewDriver() Contract { runtime.Goexit(); return nil }",
		bad{wanted: "NewDriver that returns", found: "a call of runtime.Goexit", remedy: "author"}},
	{"init Goexit", "import \"runtime\"\n\nfunc init() { runtime.Goexit() }\n\nfunc NewDriver() int { return 0 }",
		bad{stage: StageOpen, wanted: "init functions that return", found: "a call of runtime.Goexit"}},
	{"init panics", "func init() { panic(\"in init\") }\n\nfunc NewDriver() int { return 0 }",
		bad{stage: StageOpen, wanted: "init functions that return", found: "a panic: in init", is: "panic"}},
}

func newDrivers(t *testing.T) map[string]bad {
	cases := map[string]bad{}
	for _, c := range badCode {
		module := strings.ToLower(strings.ReplaceAll(c.name, " ", ""))
		c.driver = "newdriver-" + module
		source := strings.ReplaceAll(c.declarations, "NAME", strconv.Quote(c.driver))
		c.File = fixture.Build(t, fixture.Plain(module, fixture.Manifest(c.driver, "1.0.0"), source))
		c.stage = cmp.Or(c.stage, StageBind)
		cases["NewDriver: "+c.name] = c.bad
	}
	return cases
}

// repeats are files that clash with what an earlier step has opened. Their
// names put them behind the others.
func repeats(t *testing.T) map[string]bad {
	const room = 200
	first := fixture.Manifest("twin", "1.0.0")
	fill := func(text string) string { return text + strings.Repeat(" ", room-len(text)) }
	file := fixture.Build(t, fixture.Plain("twin", fill(first), "func init() { panic(\"twin\") }\n\nfunc NewDriver() int { return 0 }"))
	second := patched(t, file, replace(fill(first), fill(fixture.Manifest("twin", "1.0.1"))))
	return map[string]bad{
		"twin: first":  {step: step{File: file}, stage: StageOpen, driver: "twin", found: "a panic: twin"},
		"twin: second": {step: step{File: install(t, file, "copy.so")}, stage: StageOpen, driver: "twin", found: "a file that failed before"},
		"twin: third": {step: step{File: second}, stage: StageFit, driver: "twin", wanted: "plugin path example.com/fixture/twin not in use",
			found: file + " (sha256 ", remedy: "restart the program"},
	}
}

// patch changes the bytes of a file without moving any.
type patch func(t *testing.T, content []byte) []byte

func patched(t *testing.T, file string, patches ...patch) string {
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, p := range patches {
		content = p(t, content)
	}
	return write(t, "patched.so", content)
}

func replace(old, new string) patch {
	return func(t *testing.T, content []byte) []byte {
		require.Len(t, new, len(old))
		require.Contains(t, string(content), old)
		return bytes.ReplaceAll(content, []byte(old), []byte(new))
	}
}

func setMachine(m elf.Machine) patch {
	return func(_ *testing.T, content []byte) []byte {
		binary.LittleEndian.PutUint16(content[18:], uint16(m))
		return content
	}
}
