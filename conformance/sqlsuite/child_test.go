package sqlsuite_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/sqlsuite"
	"github.com/keyway-go/keyway/conformance/sqlsuite/internal/reference"
	"github.com/keyway-go/keyway/contract"
)

// job tells a child which checks to run, on which driver.
type job struct {
	Mutant   string // "" for the reference itself, or plain
	Checks   []string
	Patience time.Duration
	Results  string // the file to which results are appended, one a line
}

// finding is what a child writes: twice for each check, at its beginning
// without an outcome.
type finding struct {
	Check   string
	Outcome *conformance.Outcome
}

// plain is a job's Mutant that is none: plainDriver.
const plain = "plain"

const jobVariable = "KEYWAY_SQLSUITE_JOB"

// TestMain makes the test binary its own child: leaks, hangs and crashes of a
// mutant disturb neither the test nor the next mutant.
func TestMain(m *testing.M) {
	if text := os.Getenv(jobVariable); text != "" {
		if err := child([]byte(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(text []byte) error {
	var j job
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	f, err := os.OpenFile(j.Results, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	subject := &conformance.Subject[contract.Driver]{DSN: "reference:{{tempdir}}", New: func() contract.Driver {
		switch j.Mutant {
		case "":
			return reference.New()
		case plain:
			return plainDriver{reference.New()}
		}
		return reference.New(reference.Mutant(j.Mutant))
	}}
	enc := json.NewEncoder(f)
	for _, c := range sqlsuite.Suite().Checks {
		if !slices.Contains(j.Checks, c.ID) {
			continue
		}
		if err := enc.Encode(finding{Check: c.ID}); err != nil {
			return err
		}
		o := c.Do(context.Background(), subject, conformance.Limits{Timeout: 6 * j.Patience, Patience: j.Patience})
		if err := enc.Encode(finding{Check: c.ID, Outcome: &o}); err != nil {
			return err
		}
	}
	return nil
}

// runSuite runs checks, or all if none is named, on a mutant, in children. A
// child that dies makes the check crash in which it died; another does the
// rest.
func runSuite(t *testing.T, mutant string, patience time.Duration, checks ...string) map[string]conformance.Outcome {
	t.Helper()
	if len(checks) == 0 {
		for _, c := range sqlsuite.Suite().Checks {
			checks = append(checks, c.ID)
		}
	}
	outcomes := map[string]conformance.Outcome{}
	for len(checks) > 0 {
		j := job{Mutant: mutant, Checks: checks, Patience: patience, Results: filepath.Join(t.TempDir(), "results")}
		said := runChild(t, j)
		last := ""
		for _, f := range readFindings(t, j.Results) {
			last = f.Check
			if f.Outcome != nil {
				outcomes[f.Check] = *f.Outcome
			}
		}
		if last == "" {
			t.Errorf("mutant %q: the child ran nothing:\n%s", mutant, said)
			return outcomes
		}
		if _, ended := outcomes[last]; !ended {
			outcomes[last] = conformance.Outcome{Status: conformance.Crash, Messages: []string{said}}
		}
		checks = slices.DeleteFunc(slices.Clone(checks), func(id string) bool { _, done := outcomes[id]; return done })
	}
	return outcomes
}

// runChild returns what the child wrote to its standard output and error. Its
// data races are failures of the test, whoever has them.
func runChild(t *testing.T, j job) string {
	text, err := json.Marshal(j)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	out, _ := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("WARNING: DATA RACE")) {
		t.Errorf("mutant %q: the child has a data race:\n%s", j.Mutant, out)
	}
	return string(out)
}

func readFindings(t *testing.T, file string) []finding {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []finding
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var one finding
		require.NoError(t, json.Unmarshal(lines.Bytes(), &one))
		all = append(all, one)
	}
	return all
}
