package checker_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/checker"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
)

// Two contracts that only their checkers can tell apart: one is of drivers that
// have a method more.
type (
	thing = interface{ Name() string }
	maker = interface {
		Name() string
		Make() int
	}
)

func things() *conformance.Suite[thing] {
	return &conformance.Suite[thing]{
		Contract: contract.MustDefine[thing]("thing", "1.2.0"),
		Checks: []conformance.Check[thing]{{ID: "thing/named", Level: conformance.Must, Rule: "A thing has a name.", Source: "this test",
			Run: func(t *conformance.T, s *conformance.Subject[thing]) {
				if s.New().Name() == "" {
					t.Errorf("it has none")
				}
			}}},
	}
}

func makers() *conformance.Suite[maker] {
	return &conformance.Suite[maker]{
		Contract: contract.MustDefine[maker]("maker", "2.0.0"),
		NeedsDSN: true,
		Checks: []conformance.Check[maker]{{ID: "maker/makes", Level: conformance.Must, Rule: "A maker makes 42.", Source: "this test",
			Run: func(t *conformance.T, s *conformance.Subject[maker]) {
				if n := s.New().Make(); n != 42 {
					t.Errorf("it made %d", n)
				}
			}}},
	}
}

// TestMain is the command, too.
func TestMain(m *testing.M) {
	switch os.Getenv("CHECKER_SUITES") {
	case "two":
		checker.Main(things(), makers())
	case "none":
		checker.Main()
	case "twice":
		checker.Main(things(), things())
	case "unsound":
		s := things()
		s.Checks[0].Rule = ""
		checker.Main(s)
	}
	os.Exit(m.Run())
}

func run(t *testing.T, suites string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "CHECKER_SUITES="+suites)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	require.NoError(t, err)
	return 0, out.String(), errs.String()
}

func driver(t *testing.T, name, manifest, make string) string {
	return fixture.Driver(t, fixture.Plain(name, manifest, "type drv struct{ _ int }\n\nfunc (*drv) Name() string { return \"x\" }\n\n"+
		make+"\n\nfunc NewDriver() D { return new(drv) }"))
}

const (
	isThing = "type D = interface{ Name() string }"
	isMaker = "type D = interface {\n\tName() string\n\tMake() int\n}\n\nfunc (*drv) Make() int { return 41 }"
)

// A driver is held to the contract that its manifest names.
func TestSuiteIsChosen(t *testing.T) {
	code, stdout, stderr := run(t, "two", "test", driver(t, "checkerthing", `{"name":"x","version":"1.0.0","contract":{"name":"thing","version":"^1"}}`, isThing))
	assert.Equal(t, 0, code, "%s%s", stdout, stderr)
	assert.Contains(t, stdout, "thing/named")
	assert.Contains(t, stdout, "x 1.0.0 conforms to thing 1.2.0; 10 checks")

	made := driver(t, "checkermaker", `{"name":"x","version":"1.0.0","contract":{"name":"maker","version":"^2"}}`, isMaker)
	code, _, stderr = run(t, "two", "test", made)
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "no DSN to test with")
	code, stdout, stderr = run(t, "two", "test", made, "--dsn", "x")
	assert.Equal(t, 3, code, "%s%s", stdout, stderr)
	assert.Contains(t, stdout, "found    it made 41")
	assert.Contains(t, stdout, "repeat   checker.test test "+made)
	assert.Contains(t, stdout, "does not conform to maker 2.0.0")
}

func TestUnknownContract(t *testing.T) {
	other := driver(t, "checkerother", `{"name":"x","version":"1.0.0","contract":{"name":"other","version":"^1"}}`, isThing)
	code, stdout, stderr := run(t, "two", "test", other)
	assert.Equal(t, 2, code)
	assert.Empty(t, stdout)
	assert.Equal(t, "checker.test: driver x is for contract other, which is not known here\n  known: thing 1.2.0, maker 2.0.0\n", stderr)
}

func TestChecks(t *testing.T) {
	code, stdout, _ := run(t, "two", "checks")
	assert.Equal(t, 0, code)
	assert.Contains(t, stdout, "10 checks of contract thing 1.2.0")
	assert.Contains(t, stdout, "10 checks of contract maker 2.0.0")
	code, stdout, _ = run(t, "two", "checks", "--json", "maker")
	assert.Equal(t, 0, code)
	assert.JSONEq(t, `[{"id":"maker/makes","level":"must","rule":"A maker makes 42.","source":"this test","contract":"maker"}]`, stdout)
}

// The help is that of the program, and has no verb that is for another contract.
func TestHelp(t *testing.T) {
	code, stdout, _ := run(t, "two", "--help")
	assert.Equal(t, 0, code)
	assert.Contains(t, stdout, "checker.test builds driver files")
	assert.Contains(t, stdout, "their contract: thing, maker.")
	assert.NotContains(t, stdout, "drivercheck")
	assert.NotContains(t, stdout, "\n  new ")
}

func TestFaultsOfTheProgram(t *testing.T) {
	for suites, want := range map[string]string{
		"none":    "gives no suite",
		"twice":   `two suites of contract "thing"`,
		"unsound": `the suite of contract "thing" is not sound`,
	} {
		code, _, stderr := run(t, suites, "checks")
		assert.Equal(t, 1, code, suites)
		assert.Contains(t, stderr, want, suites)
	}
}
