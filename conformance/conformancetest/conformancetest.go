// Package conformancetest runs a conformance suite from go test.
//
//	func TestMain(m *testing.M) {
//		sqlsuite.Suite().Worker() // the process may be a worker of a run
//		os.Exit(m.Run())
//	}
//
//	func TestConformance(t *testing.T) {
//		conformancetest.Run(t, sqlsuite.Suite(), conformance.Options{
//			File:   "sqlite.so",
//			Config: conformance.Config{DSN: "file:{{tempdir}}/test.db"},
//		})
//	}
package conformancetest

import (
	"testing"

	"github.com/keyway-go/keyway/conformance"
)

// Run holds a driver file to a suite, as conformance.Run does, and gives each
// check a subtest: one that passes, one that is skipped (waived, unsupported or
// disabled, with the reason), or one that fails with the evidence. A file that
// was not built for the test binary, with the same flags, fails in file/fits.
//
// The test binary's TestMain must call the suite's Worker.
func Run[D any](t *testing.T, s *conformance.Suite[D], o conformance.Options) {
	t.Helper()
	r, err := conformance.Run(t.Context(), s, o)
	if err != nil {
		t.Fatalf("conformance: %v", err)
	}
	for _, c := range r.Checks {
		t.Run(c.ID, func(t *testing.T) {
			switch c.Status {
			case conformance.Pass:
			case conformance.Waived:
				t.Skipf("waived: %s (%s)\n%s", c.Waiver.Reason, c.Waiver.URL, c.Message)
			case conformance.Unsupported, conformance.Disabled:
				t.Skipf("%s: %s", c.Status, c.Message)
			default:
				t.Errorf("%s: %s\nrule: %s\nsource: %s", c.Status, c.Message, c.Rule, c.Source)
				for _, line := range c.Logs {
					t.Log(line)
				}
			}
		})
	}
	for _, p := range r.Problems {
		t.Error(p)
	}
	if !r.OK() && !t.Failed() {
		t.Errorf("no check passed: %v", r.Summary)
	}
}
