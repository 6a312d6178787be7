package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/inspect"
)

// Level says how much a rule binds, in the words of RFC 2119. It is for the
// reader of a report: a check that fails fails the run, whatever its level,
// unless it is waived.
type Level string

// The levels, from the strictest down.
const (
	Must   Level = "must"
	Should Level = "should"
	May    Level = "may"
)

// Check is one rule and the code that tests it. Checks are plain values: a
// suite is made of them, documents are printed from them, and nothing runs
// before [Suite.Validate] has accepted them.
type Check[D any] struct {
	// ID names the check for ever: a family and a name, such as
	// "tx/commit-error-cleans".
	ID string
	// Level says how much the rule binds.
	Level Level
	// Rule is one sentence that a driver author can act on.
	Rule string
	// Source is where the rule comes from: a document, a line of the standard
	// library's source, an issue.
	Source string
	// Gate names the optional interface without which the rule does not
	// apply, or is empty. The check itself calls T.Unsupported when the
	// driver lacks it; Gate is for the reader.
	Gate string
	// Run tests the rule. It reports through t, and may end early.
	Run func(t *T, s *Subject[D])

	// unloaded says that the check is for the file alone: of its subject
	// there is only File.
	unloaded bool
}

// Subject is the driver that a check tests.
type Subject[D any] struct {
	// New is the driver's NewDriver.
	New func() D
	// Manifest is what the driver says of itself.
	Manifest contract.Manifest
	// File is the absolute path of the driver file, "" for a driver that is
	// linked in.
	File string
	// Facts were read from File before it was loaded; nil for a driver that
	// is linked in.
	Facts *inspect.Facts
	// DSN is what to open, its placeholders replaced; "" if none was given.
	DSN string
	// Options is the "suite" object of conformance.json; nil if there is
	// none. A suite may refuse it in Suite.CheckOptions.
	Options json.RawMessage
}

// Suite holds the checks of one contract.
type Suite[D any] struct {
	// Contract is what the drivers promise.
	Contract *contract.Contract[D]
	// Checks are the suite's own; those of any driver file, which
	// FileChecks returns, come before them in every run.
	Checks []Check[D]
	// NeedsDSN says that the suite's checks cannot run without a DSN.
	NeedsDSN bool
	// CheckOptions returns an error for options that the suite does not
	// understand. nil accepts only the absence of options.
	CheckOptions func(json.RawMessage) error
	// Adapt, if not nil, takes the NewDriver of a file that was loaded, and
	// returns what checks get in its place, as Subject.New. It is for a host
	// that puts something of its own between itself and its drivers, to see
	// whether they conform through it as well. It is called in the process of
	// each check.
	Adapt func(newDriver func() D) func() D
}

var idPattern = regexp.MustCompile(`^[a-z0-9-]+/[a-z0-9-]+$`)

// Validate returns every fault of the suite: an ID that is malformed or
// given twice, a check without rule, source, level or code.
func (s *Suite[D]) Validate() error {
	var faults []error
	if s.Contract == nil {
		faults = append(faults, errors.New("the suite has no contract"))
	}
	if len(s.Checks) == 0 {
		faults = append(faults, errors.New("the suite has no checks"))
	}
	seen := map[string]bool{}
	for _, c := range s.All() {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("check %q: %s", c.ID, fmt.Sprintf(format, args...)))
		}
		if !idPattern.MatchString(c.ID) {
			fault("the id is not of the form family/name")
		}
		if seen[c.ID] {
			fault("the id is given twice")
		}
		seen[c.ID] = true
		if c.Level != Must && c.Level != Should && c.Level != May {
			fault("the level %q is not must, should or may", c.Level)
		}
		if c.Rule == "" || c.Source == "" {
			fault("it has no rule or no source")
		}
		if c.Run == nil {
			fault("it has no code")
		}
	}
	return errors.Join(faults...)
}

// All returns the checks of any driver file and then the suite's own.
func (s *Suite[D]) All() []Check[D] {
	return append(FileChecks(s.Contract), s.Checks...)
}
