package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/inspect"
)

// Options are what a run may be told. Only File is required.
type Options struct {
	// File is the driver file.
	File string
	// Config is the driver's conformance.json, or the zero value.
	Config Config
	// Run selects checks by ID, family or pattern; empty selects all. The
	// file checks always run, and come first.
	Run []string
	// Disable turns checks off, by ID, family or pattern. File checks
	// cannot be turned off.
	Disable []string
	// Limits bound each check.
	Limits Limits
	// Parallel is how many checks run at once; 0 means as many as there are
	// CPUs.
	Parallel int
	// InProcess runs the checks one after the other in this process, for a
	// debugger. A crash or an os.Exit of the driver then ends the run.
	InProcess bool
	// Progress, if not nil, is called when it is known what will run (with a
	// nil Result) and when a check has ended, by one goroutine at a time.
	Progress func(Progress)
}

// Progress says how far a run is.
type Progress struct {
	Done, Total int
	// Result is the check that has just ended, before waivers are applied to
	// the run as a whole; nil at the start.
	Result *Result
}

// UsageError is an error of what the caller asked for.
type UsageError struct{ Message string }

// Error returns Message.
func (e *UsageError) Error() string { return e.Message }

// Run holds a driver file to a suite and reports every check that was
// selected. A bad driver is not an error: it is in the report. The error is a
// *UsageError for options that make no sense; any other says that the run
// could not be done. When ctx ends, checks that have not run are reported as
// not run, and Run returns the report together with ctx.Err().
//
// Except with InProcess, Run starts the running program again for each check:
// its main function, or TestMain, must call Suite.Worker first of all.
func Run[D any](ctx context.Context, s *Suite[D], o Options) (*Report, error) {
	r, err := newRunner(s, o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	r.run(ctx)
	return r.finish(), ctx.Err()
}

// runner is one run. The results have the order of the checks.
type runner[D any] struct {
	suite   *Suite[D]
	opts    Options
	checks  []Check[D]
	report  *Report
	tempDir string

	mu   sync.Mutex // protects following fields, and calls of Progress
	done int
	res  []Result
}

func newRunner[D any](s *Suite[D], o Options) (*runner[D], error) {
	if os.Getenv(workerVar) != "" {
		// Without this, a program that forgot Worker would start itself for ever.
		return nil, errors.New("this process is a worker of another run, but did not call Suite.Worker first in main")
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("the suite is not sound: %w", err)
	}
	if err := o.Config.Validate(); err != nil {
		return nil, &UsageError{err.Error()}
	}
	if err := s.checkOptions(o.Config.Suite); err != nil {
		return nil, &UsageError{"options of the suite: " + err.Error()}
	}
	if s.NeedsDSN && o.Config.DSN == "" {
		return nil, &UsageError{"no DSN to test with: give one, or put it into conformance.json as \"dsn\""}
	}
	checks, err := s.selectChecks(o.Run)
	if err != nil {
		return nil, err
	}
	if o.File, err = filepath.Abs(o.File); err != nil {
		return nil, err
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.NumCPU()
	}
	o.Limits = o.Limits.withDefaults()
	report := &Report{Schema: Schema, Contract: ContractInfo{s.Contract.Name(), s.Contract.Version()},
		Problems: unmatchedWaivers(o.Config.Waivers, s.All())}
	if report.Driver, err = describeFile(o.File); err != nil {
		return nil, err
	}
	tempDir, err := os.MkdirTemp("", "keyway-run-")
	if err != nil {
		return nil, err
	}
	return &runner[D]{suite: s, opts: o, checks: checks, report: report, tempDir: tempDir, res: make([]Result, len(checks))}, nil
}

func (r *runner[D]) close() { os.RemoveAll(r.tempDir) }

func (s *Suite[D]) checkOptions(raw json.RawMessage) error {
	if s.CheckOptions != nil {
		return s.CheckOptions(raw)
	}
	if len(raw) > 0 {
		return errors.New("this suite has none")
	}
	return nil
}

// selectChecks returns the checks that patterns mean, in the suite's order,
// led by those without which no other can run.
func (s *Suite[D]) selectChecks(patterns []string) ([]Check[D], error) {
	all := s.All()
	if len(patterns) == 0 {
		return all, nil
	}
	for _, p := range patterns {
		if !slices.ContainsFunc(all, func(c Check[D]) bool { return Matches(p, c.ID) }) {
			return nil, &UsageError{fmt.Sprintf("no check matches %q; drivercheck checks lists them", p)}
		}
	}
	return slices.DeleteFunc(all, func(c Check[D]) bool {
		return !strings.HasPrefix(c.ID, fileFamily) && !slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, c.ID) })
	}), nil
}

// describeFile reads name and version from the file's bytes. A file that is no
// driver has none; why, is for the load check to say.
func describeFile(file string) (DriverInfo, error) {
	f, err := os.Open(file)
	if err != nil {
		return DriverInfo{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return DriverInfo{}, err
	}
	if !info.Mode().IsRegular() {
		return DriverInfo{}, &UsageError{file + " is not a regular file"}
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return DriverInfo{}, err
	}
	d := DriverInfo{SHA256: hex.EncodeToString(h.Sum(nil))}
	if facts, err := inspect.Read(f, info.Size()); err == nil {
		if m, err := contract.ParseManifest([]byte(facts.Manifest)); err == nil {
			d.Name, d.Version = m.Name, m.Version
		}
	}
	return d, nil
}

func (r *runner[D]) run(ctx context.Context) {
	r.progress(nil)
	do := r.inChild
	if r.opts.InProcess {
		do = r.inProcess()
		r.opts.Parallel = 1
	}
	// The first checks tell whether the file loads at all.
	first := 0
	for ; first < len(r.checks) && strings.HasPrefix(r.checks[first].ID, fileFamily); first++ {
		r.one(ctx, first, do)
		if res := r.res[first]; res.Status != Pass {
			r.skip(first+1, "the driver file does not load: see "+res.ID)
			return
		}
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(r.opts.Parallel, len(r.checks)) {
		wg.Go(func() {
			for i := range next {
				r.one(ctx, i, do)
			}
		})
	}
	for i := first; i < len(r.checks); i++ {
		next <- i
	}
	close(next)
	wg.Wait()
}

// one runs the i-th check and keeps its result.
func (r *runner[D]) one(ctx context.Context, i int, do func(context.Context, Check[D]) Outcome) {
	c := r.checks[i]
	var o Outcome
	switch {
	case ctx.Err() != nil:
		o = Outcome{Status: NotRun, Messages: []string{"the run was interrupted"}}
	case !strings.HasPrefix(c.ID, fileFamily) && slices.ContainsFunc(r.opts.Disable, func(p string) bool { return Matches(p, c.ID) }):
		o = Outcome{Status: Disabled}
	default:
		o = do(ctx, c)
		if ctx.Err() != nil && o.Status != Pass {
			o = Outcome{Status: NotRun, Messages: []string{"the run was interrupted"}}
		}
	}
	r.keep(i, newResult(c, o))
}

func (r *runner[D]) skip(from int, why string) {
	for i := from; i < len(r.checks); i++ {
		r.keep(i, newResult(r.checks[i], Outcome{Status: NotRun, Messages: []string{why}}))
	}
}

func (r *runner[D]) keep(i int, res Result) {
	applyWaivers(&res, r.opts.Config.Waivers)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.res[i] = res
	r.done++
	if r.opts.Progress != nil {
		r.opts.Progress(Progress{Done: r.done, Total: len(r.checks), Result: &res})
	}
}

func (r *runner[D]) progress(res *Result) {
	if r.opts.Progress != nil {
		r.opts.Progress(Progress{Done: r.done, Total: len(r.checks), Result: res})
	}
}

func (r *runner[D]) finish() *Report {
	r.report.Checks = r.res
	r.report.summarize()
	return r.report
}
