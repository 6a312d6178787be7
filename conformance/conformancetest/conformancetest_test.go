package conformancetest_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/conformancetest"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
)

type thing = interface{ Name() string }

func suite() *conformance.Suite[thing] {
	check := func(id string, run func(t *conformance.T, s *conformance.Subject[thing])) conformance.Check[thing] {
		return conformance.Check[thing]{ID: id, Level: conformance.Must, Rule: "A rule.", Source: "this test", Run: run}
	}
	return &conformance.Suite[thing]{
		Contract: contract.MustDefine[thing]("thing", "1.0.0"),
		Checks: []conformance.Check[thing]{
			check("a/pass", func(t *conformance.T, s *conformance.Subject[thing]) {}),
			check("a/fail", func(t *conformance.T, s *conformance.Subject[thing]) { t.Fatalf("the evidence") }),
			check("a/unsupported", func(t *conformance.T, s *conformance.Subject[thing]) { t.Unsupported("the lack") }),
		},
	}
}

func TestMain(m *testing.M) {
	suite().Worker()
	os.Exit(m.Run())
}

// TestInner is what an author of a driver writes. It runs in a process of its
// own, because it is to fail.
func TestInner(t *testing.T) {
	mode := os.Getenv("CONFORMANCETEST_INNER")
	if mode == "" {
		t.Skip("is run by TestRun")
	}
	o := conformance.Options{File: fixture.Driver(t, fixture.Plain("thing",
		`{"name":"thing","version":"1.0.0","contract":{"name":"thing","version":"^1"}}`,
		"type thing struct{ _ int }\n\nfunc (*thing) Name() string { return \"thing\" }\n\nfunc NewDriver() interface{ Name() string } { return new(thing) }"))}
	switch mode {
	case "waived":
		o.Config.Waivers = []conformance.Waiver{{Check: "a/fail", Reason: "the reason", URL: "https://example.com"}}
	case "stale":
		o.Run = []string{"a/pass"}
		o.Config.Waivers = []conformance.Waiver{{Check: "a/gone", Reason: "r", URL: "u"}}
	case "nothing":
		o.Run = []string{"a/unsupported"}
	}
	conformancetest.Run(t, suite(), o)
}

func TestRun(t *testing.T) {
	for mode, c := range map[string]struct {
		ok    bool
		lines []string
	}{
		"plain": {false, []string{"--- PASS: TestInner/file/loads", "--- PASS: TestInner/a/pass", "--- FAIL: TestInner/a/fail",
			"fail: the evidence", "rule: A rule.", "source: this test", "--- SKIP: TestInner/a/unsupported", "unsupported: the lack"}},
		"waived":  {true, []string{"--- SKIP: TestInner/a/fail", "waived: the reason (https://example.com)", "the evidence"}},
		"stale":   {false, []string{"--- PASS: TestInner/a/pass", "a/gone"}},
		"nothing": {false, []string{"--- SKIP: TestInner/a/unsupported", "no check passed"}},
	} {
		t.Run(mode, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestInner$", "-test.v")
			cmd.Env = append(os.Environ(), "CONFORMANCETEST_INNER="+mode)
			out, err := cmd.CombinedOutput()
			if c.ok {
				require.NoError(t, err, "%s", out)
			} else {
				require.Error(t, err, "%s", out)
			}
			for _, line := range c.lines {
				assert.Contains(t, string(out), line)
			}
		})
	}
}
