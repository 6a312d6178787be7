package sqlsuite_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/sqlsuite"
	"github.com/keyway-go/keyway/conformance/sqlsuite/internal/reference"
)

func TestSuiteIsValid(t *testing.T) {
	require.NoError(t, sqlsuite.Suite().Validate())
}

// Every check has a mutant, and every mutant a check.
func TestEveryCheckHasAMutant(t *testing.T) {
	var checks, mutants []string
	for _, c := range sqlsuite.Suite().Checks {
		checks = append(checks, c.ID)
	}
	for _, m := range reference.Mutants() {
		mutants = append(mutants, m.ID)
		assert.NotEmpty(t, m.Fault, m.ID)
	}
	assert.ElementsMatch(t, checks, mutants)
	assert.Equal(t, len(mutants), len(slices.Compact(slices.Sorted(slices.Values(mutants)))), "a mutant is declared twice")
}

// The reference passes every check, in its own process as in a user's.
func TestReferencePassesEveryCheck(t *testing.T) {
	for id, o := range runSuite(t, "", patienceForPass()) {
		assert.Equal(t, conformance.Pass, o.Status, "%s: %q", id, o.Messages)
	}
}

// A mutant fails its check and no other. With -v, the test prints a line for
// each mutant: the status of its check, and the time of the whole suite.
func TestMutantsFailExactlyTheirCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole suite once for each mutant")
	}
	lines := make([]string, len(reference.Mutants()))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	for i, m := range reference.Mutants() {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			lines[i] = judge(t, m)
		})
	}
	wg.Wait()
	t.Logf("the kill matrix:\n%s", strings.Join(lines, "\n"))
}

// hanging are the mutants that do not return, so that their check fails for
// that.
var hanging = map[string]bool{"ctx/cancel-during-exec": true, "ctx/cancel-during-query": true, "ctx/cancel-during-next": true}

// judge runs the suite on a mutant. A check that should pass and does not, or
// that fails for being slow, is given a second run by itself, with time enough
// for a busy machine.
func judge(t *testing.T, m reference.Mutation) string {
	start := time.Now()
	outcomes := runSuite(t, m.ID, patienceForKill())
	took := time.Since(start).Round(time.Millisecond)
	var killed conformance.Status
	for id, o := range outcomes {
		if id == m.ID {
			slow := strings.Contains(fmt.Sprint(o.Messages), "did not return within") && !hanging[id]
			if slow || o.Status != conformance.Fail {
				o = runSuite(t, m.ID, patienceForPass(), id)[id]
			}
			killed = o.Status
			assert.Equal(t, conformance.Fail, killed, "mutant %s (%s): its check says %q", m.ID, m.Fault, o.Messages)
			continue
		}
		if o.Status != conformance.Pass {
			again := runSuite(t, m.ID, patienceForPass(), id)[id]
			assert.Equal(t, conformance.Pass, again.Status, "mutant %s (%s) must not fail %s: %q", m.ID, m.Fault, id, again.Messages)
			t.Logf("mutant %s: the check %s was first %s %q and then %s", m.ID, id, o.Status, o.Messages, again.Status)
		}
	}
	return fmt.Sprintf("%-8s %-36s %6s  %s", killed, m.ID, took, m.Fault)
}

func patienceForPass() time.Duration { return 10 * time.Second }

// patienceForKill is how long a mutant that hangs holds up the test.
func patienceForKill() time.Duration {
	if raceEnabled {
		return 2 * time.Second
	}
	return 500 * time.Millisecond
}
