// Package conformancetest runs a conformance suite from go test.
//
//	func TestMain(m *testing.M) { conformancetest.Main(m, sqlsuite.Suite()) }
//
//	func TestConformance(t *testing.T) {
//		conformancetest.Run(t, sqlsuite.Suite(), conformance.Options{
//			File:   conformancetest.Build(t, "."),
//			Config: conformance.Config{DSN: "file:{{tempdir}}/test.db"},
//		})
//	}
//
// With Linked in the place of File, the driver that the test binary itself
// registered with loader.Register is held to the suite, which works everywhere,
// with -race and with coverage.
package conformancetest

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/internal/gobuild"
	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/isolate"
)

// interrupted ends when the test binary is told to end; nil before Main.
var interrupted context.Context

// Main runs the tests and ends the process; it is all that TestMain does. The
// process may be a worker of a run, or the wrapper of a tool in a build, and
// then runs no test. suites are those that the tests give to Run.
//
// When the test binary is told to end, by SIGINT or SIGTERM, Build and Run end
// what they started, remove their files and fail; the tests then come to their
// end. A second signal ends the process at once.
func Main(m *testing.M, suites ...interface{ Worker() }) {
	isolate.Tool()
	for _, s := range suites {
		s.Worker()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	interrupted = ctx
	os.Exit(m.Run())
}

// contextOf ends with the test, or when the process is told to end.
func contextOf(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	if interrupted != nil {
		stop := context.AfterFunc(interrupted, cancel)
		t.Cleanup(func() { stop() })
	}
	return ctx
}

// Build builds the driver's package in a directory, as "drivercheck build" does,
// with the flags of the test binary, and returns the driver file, which is there
// until the test ends. The test fails with the go command's words if there is
// none, and is skipped on a system for which there are no driver files.
//
// The test binary's TestMain must call Main.
func Build(t *testing.T, dir string) string {
	t.Helper()
	if runtime.GOOS != "linux" && runtime.GOOS != "freebsd" {
		t.Skip("there are no driver files for " + runtime.GOOS)
	}
	if interrupted == nil {
		// The go command would run these tests around its tools, without end.
		t.Fatal("conformance: TestMain must call conformancetest.Main before a test calls Build")
	}
	host, err := inspect.Self()
	if err != nil {
		t.Fatalf("conformance: %v", err)
	}
	r, err := gobuild.Build(contextOf(t), gobuild.Options{Dir: dir, Out: filepath.Join(t.TempDir(), "driver.so"), Host: host})
	if be, ok := errors.AsType[*gobuild.Error](err); ok && be.Output != "" {
		t.Fatalf("conformance: %v\n%s", err, be.Output)
	}
	if err != nil {
		t.Fatalf("conformance: %v", err)
	}
	return r.File
}

// Run holds a driver file to a suite, as conformance.Run does, and gives each
// check a subtest: one that passes, one that is skipped (waived, unsupported or
// disabled, with the reason), or one that fails with the evidence. A file that
// was not built for the test binary, with the same flags, fails in file/fits.
//
// The test binary's TestMain must call Main, or at least the suite's Worker.
func Run[D any](t *testing.T, s *conformance.Suite[D], o conformance.Options) {
	t.Helper()
	r, err := conformance.Run(contextOf(t), s, o)
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
