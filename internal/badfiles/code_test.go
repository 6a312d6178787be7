//go:build linux

package badfiles_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// exports are plugins that fit, and whose exported names are not what they must
// be, or do not do it. Those in which the probe need run nothing of NewDriver
// are refused at stage bind by all.
func exports(t *testing.T) []bad {
	const (
		inspects, binds = loader.StageInspect, loader.StageBind
		probes          = loader.StageProbe // and bind without a probe
		opens           = loader.StageOpen  // and probe with one
	)
	var all []bad
	for _, c := range []struct {
		name, declarations string
		stage              loader.Stage
		wanted, found      string
	}{
		{"none", "func NewDrivers() int { return 0 }", inspects, "NewDriver", "none"},
		{"parameter", "func NewDriver(dsn string) int { return 0 }", binds, "", "type func(string) int, which takes 1 values and returns 1, instead of 0 and 1"},
		{"no result", "//go:noinline\nfunc NewDriver() {}", binds, "", "returns 0, instead of 0 and 1"},
		{"two results", complete + "func NewDriver() (Contract, error) { return own{}, nil }", binds, "", "returns 2, instead of 0 and 1"},
		{"missing method", complete + "func NewDriver() interface{ Name() string } { return own{} }", binds, "",
			"method OpenConnector(string) (database/sql/driver.Connector, error) is missing"},
		{"method of another type", complete + "type odd struct{}\n\nfunc (odd) Name() string { return NAME }\nfunc (odd) OpenConnector(string) driver.Connector { return nil }\n\n" +
			"func NewDriver() interface {\n\tName() string\n\tOpenConnector(string) driver.Connector\n} {\n\treturn odd{}\n}", binds, "", "OpenConnector"},
		{"more methods", complete + "func (own) More() {}\n\nfunc NewDriver() interface {\n\tContract\n\tMore()\n} {\n\treturn own{}\n}", binds, "", "method More() is not in the"},
		{"any", complete + "func NewDriver() any { return own{} }", binds, "", "type func() interface {}: method Name() string is missing"},
		{"not a function", "var NewDriver = 42", binds, "", "type int, which is not a function"},
		{"function in an interface", complete + "var NewDriver any = func() Contract { return own{} }", binds, "", "type interface {}, which is not a function"},
		{"pointer to a function", complete + "var f = func() Contract { return own{} }\n\nvar NewDriver = &f", binds, "", "which is not a function"},
		{"named interface", complete + "type Named interface{ Contract }\n\nfunc NewDriver() Named { return own{} }", binds, "",
			"Named, which has every method but is not the contract's interface literal"},
		{"concrete type", complete + "func NewDriver() *own { return &own{} }", binds, "", "*example.com/fixture/concretetype.own, which has every method but is not"},
		{"nil variable", complete + "var NewDriver func() Contract", binds, "a function in the variable NewDriver", "nil"},
		{"changed manifest", complete + "func init() { DriverManifest = \"{}\" }\n\nfunc NewDriver() Contract { return own{} }", binds,
			"the DriverManifest that the file holds", "changed"},
		{"panic", complete + `func NewDriver() Contract { panic("no\nway") }`, probes, "NewDriver that returns", "a panic: no\nway"},
		{"nil", complete + "func NewDriver() Contract { return nil }", probes, "a driver from NewDriver", "nil"},
		{"nil pointer", complete + "func NewDriver() Contract { return (*own)(nil) }", probes, "a driver from NewDriver", "nil"},
		{"Name panics", complete + "type bad struct{ own }\n\nfunc (bad) Name() string { panic(7) }\n\nfunc NewDriver() Contract { return bad{} }",
			probes, "Name that returns", "a panic: 7"},
		{"Name Goexit", "import \"runtime\"\n" + complete + "type bad struct{ own }\n\nfunc (bad) Name() string { runtime.Goexit(); return \"\" }\n\nfunc NewDriver() Contract { return bad{} }",
			probes, "Name that returns", "a call of runtime.Goexit"},
		{"SetLogger panics", "import \"log/slog\"\n" + complete + "func (own) SetLogger(*slog.Logger) { panic(8) }\n\nfunc NewDriver() Contract { return own{} }",
			binds, "SetLogger that returns", "a panic: 8"},
		{"SetLogger Goexit", "import (\n\"log/slog\"\n\"runtime\"\n)\n" + complete + "func (own) SetLogger(*slog.Logger) { runtime.Goexit() }\n\nfunc NewDriver() Contract { return own{} }",
			binds, "SetLogger that returns", "a call of runtime.Goexit"},
		{"other name", complete + "type bad struct{ own }\n\nfunc (bad) Name() string { return \"imposter\" }\n\nfunc NewDriver() Contract { return bad{} }",
			probes, "newdriver-othername", `"imposter"`},
		{"Goexit", "import \"runtime\"\n" + complete + "func NewDriver() Contract { runtime.Goexit(); return nil }", probes, "NewDriver that returns", "a call of runtime.Goexit"},
		{"init Goexit", "import \"runtime\"\n\nfunc init() { runtime.Goexit() }\n\nfunc NewDriver() int { return 0 }", opens, "init functions that return", "a call of runtime.Goexit"},
		{"init panics", "func init() { panic(\"in init\") }\n\nfunc NewDriver() int { return 0 }", opens, "init functions that return", "a panic: in init"},
	} {
		module := strings.ToLower(strings.ReplaceAll(c.name, " ", ""))
		driver := "newdriver-" + module
		source := strings.ReplaceAll(c.declarations, "NAME", strconv.Quote(driver))
		b := of("NewDriver", c.name, read(t, fixture.Build(t, fixture.Plain(module, fixture.Manifest(driver, "1.0.0"), source))))
		b.driver, b.wanted, b.found = driver, c.wanted, c.found
		b = refusedAt(c.stage, b)
		if strings.HasPrefix(c.found, "a panic") {
			b.is = "panic"
		}
		switch c.stage {
		case probes:
			b.bare = binds
		case opens:
			b.stages = []loader.Stage{probes}
		}
		all = append(all, b)
	}
	return all
}

// misbehaving returns a driver file that does what the probe's tests tell it to
// in the environment; here the file itself says it, in the place of toldNothing.
func misbehaving(t *testing.T) []byte {
	t.Helper()
	const file = "main.go"
	text := read(t, filepath.Join("..", "..", "loader", "probe", "testdata", "misbehaving", file))
	return read(t, fixture.Build(t, fixture.Source{Name: "misbehaving", Files: map[string]string{file: string(text)}}))
}

const toldNothing = "nothing but what the environment says"

// code are plugins that fit, and whose code harms the process.
func code(t *testing.T) []bad {
	const inits = "init functions that return"
	whole := misbehaving(t)
	var all []bad
	for _, c := range []struct {
		told, wanted, found string
	}{
		{"panic", inits, "a panic: in\x1b[2Jinit"},
		{"panic much", inits, "a panic: much\x01\x01"},
		{"Goexit", inits, "a call of runtime.Goexit"},
		{"exit 0", inits, "exit status 0 in a child process"},
		{"exit 3", inits, `exit status 3 in a child process, saying "second"`},
		{"loop", inits, "no end within 1s"},
		{"wait", inits, "no end within 1s"},
		{"C crash", inits, `saying "SIGSEGV: segmentation violation"`},
		{"SIGSEGV", inits, `saying "SIGSEGV: segmentation violation"`},
		{"SIGABRT", inits, `saying "SIGABRT: abort"`},
		{"SIGKILL", inits, "SIGKILL in a child process"},
		{"SIGTERM", inits, "SIGTERM in a child process"},
		{"goroutine panics", inits, `saying "panic: elsewhere"`},
		{"print", "nothing on standard output", `9 bytes: "hello`},
		{"print much", "nothing on standard output", "5242880 bytes"},
		{"close standard output", "standard output left open", "it closed"},
		{"close standard error", "standard error left open", "it closed"},
		{"replace standard output", "standard output left as it is", "another file"},
		{"close what is not its own", inits, "bad file descriptor"},
		{"chdir", "the working directory", `a change to "/"`},
		{"goroutine", "no goroutine that stays", "1, created by example.com/fixture/misbehaving.init.0"},
		{"child", inits, "exit status 4"},
		{"NewDriver prints", "nothing on standard output", `4 bytes: "made"`},
		{"NewDriver loops", "NewDriver and Name that return", "no end within 1s"},
		{"NewDriver exits", "NewDriver and Name that return", "exit status 5"},
		{"NewDriver Goexit", "NewDriver that returns", "a call of runtime.Goexit"},
		{"Name differs", `Name() that returns "misbehaving"`, `"imposter"`},
	} {
		b := of("code", c.told, replaced(whole, toldNothing, c.told+strings.Repeat(" ", len(toldNothing)-len(c.told))))
		b.stages = []loader.Stage{loader.StageProbe} // and without a probe anything can happen
		b.driver, b.wanted, b.found = "misbehaving", c.wanted, c.found
		if strings.Contains(c.found, "no end") {
			b.Config.ProbeTimeout = probeTimeout
		}
		all = append(all, b)
	}
	return all
}

func TestToldNothingIsHarmless(t *testing.T) {
	file := filepath.Join(t.TempDir(), "misbehaving.so")
	require.NoError(t, os.WriteFile(file, misbehaving(t), 0o644))
	config := loader.Config{CacheDir: t.TempDir(), Probe: true}
	o := inHost(t, job{Steps: []step{{File: file, Config: config}}, Good: good(t), Config: config})[0]
	require.True(t, o.Loaded, o.Text)
}
