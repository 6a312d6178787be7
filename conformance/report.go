package conformance

import (
	"fmt"
	"strings"
	"time"
)

// Schema names the form of a Report as JSON. A key is never removed or given
// another meaning under the same name; new keys may come.
const Schema = "keyway.conformance/1"

// Report is what a run found.
type Report struct {
	// Schema is the constant Schema of the program that wrote it.
	Schema string `json:"schema"`
	// Driver is what was tested.
	Driver DriverInfo `json:"driver"`
	// Contract is what it was held to.
	Contract ContractInfo `json:"contract"`
	// Checks are in the order of the suite, those of any driver file first.
	Checks []Result `json:"checks"`
	// Total is how many checks the suite has; fewer may have been selected.
	Total int `json:"total"`
	// Interrupted says that the run was ended before its end.
	Interrupted bool `json:"interrupted"`
	// Summary counts the checks by status; every status is there.
	Summary map[Status]int `json:"summary"`
	// Problems are faults of the run itself, such as a waiver that matches
	// no check.
	Problems []string `json:"problems"`
}

// DriverInfo says which driver was tested. Name and Version are "" if the file
// has no readable manifest, SHA256 for a driver that is linked in.
type DriverInfo struct {
	// Name and Version are the manifest's, SHA256 the file's, in hex.
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	// Linked tells that it is part of the program that ran the checks. Then there
	// is no SHA256.
	Linked bool `json:"linked,omitempty"`
}

// ContractInfo says what it was held to.
type ContractInfo struct {
	// Name and Version are those of the program that ran the checks.
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Result is what became of one check.
type Result struct {
	// ID, Level, Rule, Source and Gate are the check's.
	ID     string `json:"id"`
	Level  Level  `json:"level"`
	Status Status `json:"status"`
	// DurationMS is how long the check took, in milliseconds, without the
	// loading of the file; for file/loads it is that.
	DurationMS float64 `json:"duration_ms"`
	// Message is the evidence or the reason, of one or more lines; "" for a
	// check that passed.
	Message string `json:"message"`
	// Logs are further lines of a check that did not pass.
	Logs   []string `json:"logs,omitempty"`
	Rule   string   `json:"rule"`
	Source string   `json:"source"`
	Gate   string   `json:"gate,omitempty"`
	// Waiver is the one that stands for the check, or nil.
	Waiver *Waiver `json:"waiver,omitempty"`
	// WaivedStatus is what Status would be without the waiver; "" unless
	// Status is Waived.
	WaivedStatus Status `json:"waived_status,omitempty"`
}

// OK tells whether nothing was found: every check that was selected passed, is
// waived, unsupported or disabled, at least one beside the file checks passed or
// is waived, and the run has no problem. Levels make no difference: a "should"
// that fails wants a waiver, too.
func (r *Report) OK() bool {
	shown := false
	for _, c := range r.Checks {
		switch c.Status {
		case Pass, Waived:
			shown = shown || !strings.HasPrefix(c.ID, fileFamily)
		case Unsupported, Disabled:
		default:
			return false
		}
	}
	return shown && len(r.Problems) == 0
}

// Conforms tells whether the driver conforms to the contract: the run is OK, and
// it was of all checks.
func (r *Report) Conforms() bool {
	return r.OK() && len(r.Checks) == r.Total && r.Summary[Disabled] == 0
}

// statuses in the order in which reports count them.
var statuses = []Status{Pass, Fail, Crash, Timeout, UnexpectedPass, SuiteError, NotRun, Waived, Unsupported, Disabled}

// Statuses returns every status, in the order in which reports count them.
func Statuses() []Status { return append([]Status(nil), statuses...) }

// summarize fills in what follows from the checks.
func (r *Report) summarize() {
	r.Summary = map[Status]int{}
	for _, s := range statuses {
		r.Summary[s] = 0
	}
	for _, c := range r.Checks {
		r.Summary[c.Status]++
	}
}

func newResult[D any](c Check[D], o Outcome) Result {
	r := Result{ID: c.ID, Level: c.Level, Rule: c.Rule, Source: c.Source, Gate: c.Gate, Status: o.Status,
		DurationMS: float64(o.Duration.Round(10*time.Microsecond).Microseconds()) / 1000,
		Message:    strings.Join(o.Messages, "\n")}
	if o.Status != Pass {
		r.Logs = o.Logs
	}
	return r
}

// applyWaivers changes the status of the checks that a waiver stands for. A
// waiver is for failures of the driver: what says nothing about the rule
// (a suite error, a check that was not run) is not waived.
func applyWaivers(r *Result, waivers []Waiver) {
	for _, w := range waivers {
		if !Matches(w.Check, r.ID) {
			continue
		}
		r.Waiver = &w
		switch r.Status {
		case Fail, Crash, Timeout:
			r.Status, r.WaivedStatus = Waived, r.Status
		case Pass:
			r.Status = UnexpectedPass
			r.Message = fmt.Sprintf("the waiver %q stands for this check, but it passes; remove the waiver", w.Check)
		}
		return
	}
}

// unmatchedWaivers returns a problem for each waiver that means no check of
// the suite, whether or not that check was to run.
func unmatchedWaivers[D any](waivers []Waiver, checks []Check[D]) []string {
	problems := []string{}
	for _, w := range waivers {
		found := false
		for _, c := range checks {
			found = found || Matches(w.Check, c.ID)
		}
		if !found {
			problems = append(problems, fmt.Sprintf("the waiver %q matches no check; remove it or correct its pattern", w.Check))
		}
	}
	return problems
}

// idleWaivers returns a problem for each waiver that stands only for checks
// that turned out not to apply to the driver. A check that was not selected
// may be what the waiver is for.
func idleWaivers[D any](waivers []Waiver, checks []Check[D], results []Result) []string {
	var problems []string
	for _, w := range waivers {
		matched, idle := 0, 0
		for _, c := range checks {
			if Matches(w.Check, c.ID) {
				matched++
			}
		}
		for _, r := range results {
			if r.Status == Unsupported && Matches(w.Check, r.ID) {
				idle++
			}
		}
		if matched > 0 && matched == idle {
			problems = append(problems, fmt.Sprintf("the waiver %q stands for checks that are unsupported; remove it", w.Check))
		}
	}
	return problems
}
