package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/keyway-go/keyway/loader/internal/trial"
)

const probePackage = "github.com/keyway-go/keyway/loader/probe"

// ProbeError is the evidence of a probe: how the child process ended that tried
// a driver file. It is LoadError.Err of stage probe.
type ProbeError struct {
	// Doing is what the child did last: "" before it began with the file,
	// "open" (the dynamic linker, and init functions), "NewDriver" (and Name),
	// or "leave" when it had come to an end.
	Doing string
	// ExitCode is the child's exit status, or -1 if a signal ended it.
	ExitCode int
	// Signal is that signal, such as "SIGSEGV", or "".
	Signal string
	// TimedOut tells that the child was killed after Config.ProbeTimeout.
	TimedOut bool
	// Took is how long the child lived.
	Took time.Duration
	// Stdout and Stderr are the first and the last lines that it printed, 2 KiB
	// of each at most, with nothing in them that moves a cursor. Stdout is
	// without what the program's own init functions print.
	Stdout, Stderr string
	// Stack is the stack of a panic that was recovered, or of a goroutine that
	// was left, or "".
	Stack string
	// When is the time of the probe, Host the program's path, or "" if that is
	// not known, and GoVersion its Go.
	When            time.Time
	Host, GoVersion string
}

// Error tells on one line how the child ended.
func (e *ProbeError) Error() string {
	text := fmt.Sprintf("the child process ended with exit status %d", e.ExitCode)
	switch {
	case e.TimedOut:
		text = "the child process was killed"
	case e.Signal != "":
		text = "the child process was ended by " + e.Signal
	}
	return text + " after " + e.Took.Round(time.Millisecond).String()
}

// probes is what the process has tried, whichever loader asked.
var probes = struct {
	turn   chan struct{}   // holds a value while a file is tried; protects following fields
	passed map[string]bool // by hash
}{turn: make(chan struct{}, 1), passed: map[string]bool{}}

// checkProbe returns what is wrong with the part of a Config that is about the
// probe.
func checkProbe(cfg Config) error {
	var faults []error
	if cfg.ProbeTimeout < 0 {
		faults = append(faults, fmt.Errorf("loader: ProbeTimeout is negative: %v", cfg.ProbeTimeout))
	}
	if cfg.Probe && !trial.Linked() {
		faults = append(faults, fmt.Errorf("loader: Probe needs package %s, which the program does not import or has not initialized yet; "+
			"add to the package that makes the loader: import _ %[1]q", probePackage))
	}
	return errors.Join(faults...)
}

// probe tries a staged file in a child process, unless this process has done so
// or the file is known to have failed.
func (l *Loader[D]) probe(ctx context.Context, staged string, c *candidate) error {
	select {
	case probes.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-probes.turn }()
	if probes.passed[c.sum()] || opened(c.sum()) {
		return nil
	}
	q := quarantineOf(staged)
	if known, ok := q.recall(c.sum(), l.cfg.ProbeTimeout); ok {
		return known.again(q)
	}
	r, err := trial.Start(ctx, l.cfg.ProbeTimeout, trial.Job{File: staged, Driver: c.manifest.Name})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &LoadError{Stage: StageProbe, Wanted: "a child process to try the file in", Found: err.Error(),
			Remedy: "see to it that the program can start itself again, or set loader.Config.Probe to false", Err: err}
	}
	fault := judge(r, l.cfg.ProbeTimeout)
	if fault == nil {
		probes.passed[c.sum()] = true
		return nil
	}
	failure := &LoadError{Stage: StageProbe, Wanted: fault.Wanted, Found: fault.Found, Remedy: fault.Remedy, Err: evidence(r, fault)}
	if fault.Behaviour && !byOthers(r) {
		l.remember(ctx, q, c, failure)
	}
	return failure
}

// remember puts a file into quarantine, and says so in the remedy.
func (l *Loader[D]) remember(ctx context.Context, q quarantine, c *candidate, failure *LoadError) {
	file, err := q.remember(c.sum(), c.manifest, l.cfg.ProbeTimeout, failure)
	if err != nil {
		l.log.WarnContext(ctx, "driver file that failed is not remembered", "file", c.path, "error", err)
		return
	}
	failure.Remedy += "; " + forgetting(file)
}

// reportIt is the remedy for what only the driver's author can mend.
const reportIt = "report this to the driver's author"

// judge says what is wrong with a child's result, or returns nil.
func judge(r *trial.Result, limit time.Duration) *trial.Fault {
	ended := ending(r, limit)
	behaviour := func(wanted, found, remedy string) *trial.Fault {
		return &trial.Fault{Wanted: wanted, Found: found, Remedy: remedy, Behaviour: true}
	}
	switch r.Doing {
	case trial.Nothing:
		return &trial.Fault{Wanted: "a child process that begins to load the file", Found: ended,
			Remedy: "see to it that the program's packages can be initialized in a child process, or import " + probePackage + " in those that cannot"}
	case trial.Open:
		return behaviour("init functions that return", ended, unended(r))
	case trial.NewDriver:
		return behaviour("NewDriver and Name that return", ended, unended(r))
	}
	switch {
	case r.TimedOut:
		return behaviour("a process that can exit", ended, unended(r))
	case r.Fault != nil:
		return reported(r.Fault)
	case r.ExitCode != 0:
		return behaviour("an exit with status 0", ended, reportIt)
	case r.Stdout.Total() > 0:
		return behaviour("nothing on standard output, which is the program's",
			fmt.Sprintf("%d bytes: %.200q", r.Stdout.Total(), r.Stdout.String()), reportIt)
	}
	return nil
}

// reported makes a fault like any other of one that a child reports: a file can
// write there, too.
func reported(f *trial.Fault) *trial.Fault {
	const most = 4 << 10
	whole := *f
	whole.Wanted = cmp.Or(cut(f.Wanted, most), "a driver file that loads")
	whole.Found = cmp.Or(cut(f.Found, most), "a fault that is not named")
	whole.Remedy = cmp.Or(cut(f.Remedy, most), reportIt)
	return &whole
}

// byOthers tells whether a child was ended by a signal with which people, service
// managers and a system without memory end processes. The file may have sent it
// to itself; then it does so again, in a child.
func byOthers(r *trial.Result) bool {
	return slices.Contains([]string{"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"}, r.Signal) || r.Signal == "SIGKILL" && !r.TimedOut
}

// unended is the remedy for a child that did not come to its end.
func unended(r *trial.Result) string {
	if r.TimedOut {
		return reportIt + ", or raise loader.Config.ProbeTimeout"
	}
	return reportIt
}

// ending tells how a child ended, and what it said.
func ending(r *trial.Result, limit time.Duration) string {
	switch {
	case r.TimedOut:
		return "no end within " + limit.String() + " in a child process" + said(r)
	case r.Signal != "":
		return r.Signal + " in a child process" + said(r)
	}
	return fmt.Sprintf("exit status %d in a child process", r.ExitCode) + said(r)
}

// said picks the telling line of what a child printed: the first of a crash,
// else the last one.
func said(r *trial.Result) string {
	var line string
	for next := range strings.Lines(printable(r.Stderr.String())) {
		if next = strings.TrimSpace(next); next == "" {
			continue
		}
		line = next
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "SIG") {
			break
		}
	}
	if line == "" {
		return ""
	}
	return fmt.Sprintf(", saying %.200q", line)
}

func evidence(r *trial.Result, fault *trial.Fault) *ProbeError {
	const maxStack = 4 << 10
	host, err := os.Executable()
	if err != nil && len(os.Args) > 0 {
		host = os.Args[0]
	}
	return &ProbeError{
		Doing: string(r.Doing), ExitCode: r.ExitCode, Signal: r.Signal, TimedOut: r.TimedOut, Took: r.Took,
		Stdout: printable(r.Stdout.String()), Stderr: printable(r.Stderr.String()),
		Stack: printable(cut(fault.Stack, maxStack)),
		When:  time.Now().UTC(), Host: host, GoVersion: runtime.Version(),
	}
}

// printable keeps lines, and takes out what else moves a cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
