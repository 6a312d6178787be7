package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/fatih/color"

	"github.com/keyway-go/keyway/conformance"
)

// Text writes a report for people: a line a family, what did not pass with its
// rule, source and evidence, and the verdict last, where a reader of a log
// looks first.
type Text struct {
	// W is where to write.
	W io.Writer
	// Color writes terminal colours.
	Color bool
	// Command is how to run one check again; "%s" stands for its ID.
	Command string
}

// Write writes the whole report. Errors of W are lost: nobody is left to tell.
func (t Text) Write(r *conformance.Report) {
	t.families(r)
	for _, c := range r.Checks {
		switch c.Status {
		case conformance.Fail, conformance.Crash, conformance.Timeout, conformance.UnexpectedPass:
			t.finding(c)
		}
	}
	t.byReason(r, conformance.SuiteError)
	t.waived(r)
	t.quiet(r, conformance.Unsupported, "unsupported: these rules do not apply to the driver")
	t.quiet(r, conformance.Disabled, "disabled")
	t.byReason(r, conformance.NotRun)
	for _, p := range r.Problems {
		fmt.Fprintf(t.W, "\n%s  %s\n", t.paint(conformance.Fail, "problem"), p)
	}
	fmt.Fprintf(t.W, "\n%s\n", t.verdict(r))
}

// Line writes one check as it ends, for output that is not a terminal. What
// was not run is not worth a line each.
func (t Text) Line(c conformance.Result) {
	if c.Status == conformance.NotRun {
		return
	}
	fmt.Fprintf(t.W, "  %s  %-34s %6.0f ms\n", t.paint(c.Status, fmt.Sprintf("%-15s", c.Status)), c.ID, c.DurationMS)
}

func (t Text) families(r *conformance.Report) {
	var order []string
	byFamily := map[string]map[conformance.Status]int{}
	for _, c := range r.Checks {
		family, _, _ := strings.Cut(c.ID, "/")
		if byFamily[family] == nil {
			byFamily[family] = map[conformance.Status]int{}
			order = append(order, family)
		}
		byFamily[family][c.Status]++
	}
	fmt.Fprintln(t.W)
	tw := tabwriter.NewWriter(t.W, 0, 0, 2, ' ', 0)
	for _, family := range order {
		fmt.Fprintf(tw, "  %s\t%s\n", family, t.counts(byFamily[family]))
	}
	tw.Flush()
}

// counts spells a summary: "7 pass, 1 fail".
func (t Text) counts(n map[conformance.Status]int) string {
	var parts []string
	for _, s := range conformance.Statuses() {
		if n[s] > 0 {
			parts = append(parts, t.paint(s, fmt.Sprintf("%d %s", n[s], s)))
		}
	}
	return strings.Join(parts, ", ")
}

// finding writes a check that did not pass, with everything that is known.
func (t Text) finding(c conformance.Result) {
	fmt.Fprintf(t.W, "\n%s  %s (%s)\n", t.paint(c.Status, string(c.Status)), c.ID, c.Level)
	t.field("rule", c.Rule)
	t.field("source", c.Source)
	t.field("found", c.Message)
	if len(c.Logs) > 0 {
		t.field("log", strings.Join(c.Logs, "\n"))
	}
	if t.Command != "" {
		t.field("repeat", fmt.Sprintf(t.Command, c.ID))
	}
}

// field writes a name and one or more lines beside it.
func (t Text) field(name, text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(t.W, "  %-9s%s\n", name, Printable(line))
		name = ""
	}
}

// Printable takes the control characters out of a line that may come from a
// driver, so that it cannot repaint a terminal.
func Printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return '?'
		}
		return r
	}, line)
}

// quiet writes the checks of a status that is no reason for alarm.
func (t Text) quiet(r *conformance.Report, s conformance.Status, head string) {
	if r.Summary[s] == 0 {
		return
	}
	fmt.Fprintf(t.W, "\n%s\n", t.paint(s, head))
	for _, c := range r.Checks {
		if c.Status != s {
			continue
		}
		fmt.Fprintf(t.W, "  %s (%s)\n", c.ID, c.Level)
		if c.Message != "" {
			t.field("", c.Message)
		}
	}
}

// waived writes the failures that are known. They are failures all the same, so
// rule, source and evidence stand beside the reason; of a crash, which can fill
// pages, the first line.
func (t Text) waived(r *conformance.Report) {
	if r.Summary[conformance.Waived] == 0 {
		return
	}
	fmt.Fprintf(t.W, "\n%s\n", t.paint(conformance.Waived, "waived: the driver breaks these rules, and says why"))
	for _, c := range r.Checks {
		if c.Status != conformance.Waived {
			continue
		}
		fmt.Fprintf(t.W, "  %s (%s, %s)\n", c.ID, c.Level, c.WaivedStatus)
		found, more, cut := strings.Cut(c.Message, "\n")
		if cut && strings.Count(more, "\n") > 3 {
			found += fmt.Sprintf("\n... and %d lines more with --json", 1+strings.Count(more, "\n"))
		} else {
			found = c.Message
		}
		t.field("  rule", c.Rule)
		t.field("  source", c.Source)
		t.field("  found", found)
		t.field("  reason", c.Waiver.Reason)
		t.field("  url", c.Waiver.URL)
	}
}

// byReason writes one line a reason, for what mostly has one reason for all.
func (t Text) byReason(r *conformance.Report, s conformance.Status) {
	var reasons []string
	checks := map[string][]string{}
	for _, c := range r.Checks {
		if c.Status == s {
			if checks[c.Message] == nil {
				reasons = append(reasons, c.Message)
			}
			checks[c.Message] = append(checks[c.Message], c.ID)
		}
	}
	for _, reason := range reasons {
		who := checks[reason][0]
		if n := len(checks[reason]); n > 1 {
			who = number(n)
		}
		fmt.Fprintf(t.W, "\n%s  %s: %s\n", t.paint(s, string(s)), who, Printable(reason))
	}
}

func (t Text) verdict(r *conformance.Report) string {
	name := strings.TrimSpace(r.Driver.Name + " " + r.Driver.Version)
	if name == "" {
		name = "the driver file"
	}
	to := r.Contract.Name + " " + r.Contract.Version
	tail := fmt.Sprintf("%s: %s", number(len(r.Checks)), t.counts(r.Summary))
	if len(r.Checks) < r.Total {
		tail = fmt.Sprintf("%d of %s: %s", len(r.Checks), number(r.Total), t.counts(r.Summary))
	}
	switch {
	case r.Interrupted:
		return fmt.Sprintf("interrupted: nothing is known of %s and %s; %s", name, to, tail)
	case r.Conforms():
		return fmt.Sprintf("%s conforms to %s; %s", name, to, tail)
	case r.Summary[conformance.Fail]+r.Summary[conformance.Crash]+r.Summary[conformance.Timeout] == 0 && !r.OK() &&
		r.Summary[conformance.SuiteError] > 0:
		return fmt.Sprintf("it is not known whether %s conforms to %s; %s", name, to, tail)
	case r.OK():
		return fmt.Sprintf("%s is good as far as it was tested for %s; %s", name, to, tail)
	}
	return fmt.Sprintf("%s does not conform to %s; %s", name, to, tail)
}

// number spells how many checks there are.
func number(checks int) string {
	if checks == 1 {
		return "1 check"
	}
	return fmt.Sprintf("%d checks", checks)
}

// paint colours a text by a status.
func (t Text) paint(s conformance.Status, text string) string {
	attributes := map[conformance.Status]color.Attribute{
		conformance.Pass: color.FgGreen, conformance.Waived: color.FgYellow, conformance.NotRun: color.FgYellow,
		conformance.Unsupported: color.FgCyan, conformance.Disabled: color.FgCyan,
	}
	a, ok := attributes[s]
	if !ok {
		a = color.FgRed
	}
	c := color.New(a)
	if t.Color {
		c.EnableColor()
	} else {
		c.DisableColor()
	}
	return c.Sprint(text)
}
