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
	Schema   string       `json:"schema"`
	Driver   DriverInfo   `json:"driver"`
	Contract ContractInfo `json:"contract"`
	// Checks are in the order of the suite, those of any driver file first.
	Checks []Result `json:"checks"`
	// Summary counts the checks by status; every status is there.
	Summary map[Status]int `json:"summary"`
	// Problems are faults of the run itself, such as a waiver that matches
	// no check.
	Problems []string `json:"problems"`
}

// DriverInfo says which driver was tested. Name and Version are "" if the file
// has no readable manifest, SHA256 for a driver that is linked in.
type DriverInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// ContractInfo says what it was held to.
type ContractInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Result is what became of one check.
type Result struct {
	ID         string  `json:"id"`
	Level      Level   `json:"level"`
	Status     Status  `json:"status"`
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
}

// OK tells whether the driver conforms: something ran, every check passed, is
// waived, unsupported or disabled, and the run has no problem.
func (r *Report) OK() bool {
	for _, c := range r.Checks {
		switch c.Status {
		case Pass, Waived, Unsupported, Disabled:
		default:
			return false
		}
	}
	return len(r.Problems) == 0 && r.Summary[Pass]+r.Summary[Waived] > 0
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
			r.Status = Waived
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
