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
	"github.com/keyway-go/keyway/loader"
	"github.com/keyway-go/keyway/loader/inspect"
)

// Options are what a run may be told. Only File or Linked is required.
type Options struct {
	// File is the driver file.
	File string
	// Linked is, in the place of File, the name of a driver that is part of this
	// program: one that was given to loader.Register before Suite.Worker and Run
	// are called. The checks that look at a file without loading it are left out.
	Linked string
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
	// Done of Total checks have ended.
	Done, Total int
	// Result is the check that has just ended, before waivers are applied to
	// the run as a whole; nil at the start.
	Result *Result
}

// UsageError is an error of what the caller asked for.
type UsageError struct {
	// Message is for people.
	Message string
}

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
	return r.finish(ctx.Err() != nil), ctx.Err()
}

// runner is one run. The results have the order of the checks.
type runner[D any] struct {
	suite  *Suite[D]
	opts   Options
	checks []Check[D]
	report *Report
	// tempDir and cacheDir are removed when the run is over.
	tempDir, cacheDir string

	mu   sync.Mutex // protects following fields, and calls of Progress
	done int
	res  []Result
}

func newRunner[D any](s *Suite[D], o Options) (*runner[D], error) {
	if os.Getenv(workerVar) != "" {
		// Without this, a program that forgot Worker would start itself for ever.
		return nil, errors.New("this process is a worker of another run, but did not call Suite.Worker first in main")
	}
	if err := s.ValidateOptions(o); err != nil {
		return nil, err
	}
	var err error
	if o.File != "" {
		o.File, err = filepath.Abs(o.File)
	}
	if err != nil {
		return nil, err
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.NumCPU()
	}
	o.Limits = o.Limits.withDefaults()
	all := s.All()
	report := &Report{Schema: Schema, Contract: s.Info(), Total: len(all),
		Problems: unmatchedWaivers(o.Config.Waivers, all)}
	r := &runner[D]{suite: s, opts: o, checks: selectChecks(all, o.Run), report: report}
	if o.Linked != "" {
		r.checks = slices.DeleteFunc(slices.Clone(r.checks), func(c Check[D]) bool { return c.unloaded })
		report.Driver, err = s.describeLinked(o.Linked)
	} else {
		report.Driver, err = describeFile(o.File)
	}
	if err != nil {
		return nil, err
	}
	r.res = make([]Result, len(r.checks))
	if r.tempDir, err = os.MkdirTemp("", "keyway-run-"); err != nil {
		return nil, err
	}
	r.cacheDir = newCacheDir(r.tempDir)
	return r, nil
}

// newCacheDir returns a directory for private copies of the driver file that is
// the run's own, since hardly a build is tested twice. The user's cache is
// better than the temporary directory, which may forbid execution.
func newCacheDir(tempDir string) string {
	base, err := os.UserCacheDir()
	if err == nil {
		base = filepath.Join(base, "keyway")
		err = os.MkdirAll(base, 0o700)
	}
	var dir string
	if err == nil {
		dir, err = os.MkdirTemp(base, "run-")
	}
	if err != nil {
		return filepath.Join(tempDir, "staged")
	}
	return dir
}

func (r *runner[D]) close() {
	os.RemoveAll(r.tempDir)
	os.RemoveAll(r.cacheDir)
}

// ValidateOptions returns what is wrong with options before anything is done
// for them, as Run would: a *UsageError, or an error about the suite itself. It
// does not look at File, nor for Linked.
func (s *Suite[D]) ValidateOptions(o Options) error {
	if o.File != "" && o.Linked != "" {
		return &UsageError{"both a driver file and a driver in the program: " + o.File + ", " + o.Linked}
	}
	if err := s.Validate(); err != nil {
		return fmt.Errorf("the suite is not sound: %w", err)
	}
	if err := o.Config.Validate(); err != nil {
		return &UsageError{err.Error()}
	}
	if err := s.checkOptions(o.Config.Suite); err != nil {
		return &UsageError{"options of the suite: " + err.Error()}
	}
	if s.NeedsDSN && o.Config.DSN == "" {
		return &UsageError{"no DSN to test with"}
	}
	if _, err := expandDSN(o.Config.DSN, ""); err != nil {
		return &UsageError{err.Error()}
	}
	all := s.All()
	for _, p := range slices.Concat(o.Run, o.Disable) {
		if !slices.ContainsFunc(all, func(c Check[D]) bool { return Matches(p, c.ID) }) {
			return &UsageError{fmt.Sprintf("no check matches %q", p)}
		}
	}
	return nil
}

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
func selectChecks[D any](all []Check[D], patterns []string) []Check[D] {
	if len(patterns) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(c Check[D]) bool { return !c.isFile() && !matchesAny(patterns, c.ID) })
}

// isFile tells whether the check is one of those without which no other can
// run.
func (c Check[D]) isFile() bool { return strings.HasPrefix(c.ID, fileFamily) }

func matchesAny(patterns []string, id string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, id) })
}

// describeLinked returns name and version of a driver in the program.
func (s *Suite[D]) describeLinked(name string) (DriverInfo, error) {
	l, err := loader.For(s.Contract, loader.Config{})
	if err != nil {
		return DriverInfo{}, err
	}
	for _, d := range l.Drivers() { // the highest version first
		if d.Name == name {
			return DriverInfo{Name: d.Name, Version: d.Version, Linked: true}, nil
		}
	}
	return DriverInfo{}, &UsageError{fmt.Sprintf("the program has no driver %q of contract %s; loader.Register it before Suite.Worker and Run are called",
		name, s.Contract.Name())}
}

// describeFile reads name and version from the file's bytes. A file that is no
// driver has none; why, is for the load check to say.
func describeFile(file string) (DriverInfo, error) {
	info, err := os.Stat(file)
	if err != nil {
		return DriverInfo{}, err
	}
	if !info.Mode().IsRegular() { // a FIFO would wait to be opened
		return DriverInfo{}, &UsageError{file + " is not a regular file"}
	}
	f, err := os.Open(file)
	if err != nil {
		return DriverInfo{}, err
	}
	defer f.Close()
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
	for ; first < len(r.checks) && r.checks[first].isFile(); first++ {
		r.one(ctx, first, do)
		if res := r.res[first]; ctx.Err() == nil && res.Status != Pass {
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
		o = interrupted
	case !c.isFile() && matchesAny(r.opts.Disable, c.ID):
		o = Outcome{Status: Disabled}
	default:
		o = do(ctx, c)
		if ctx.Err() != nil && o.Status != Pass {
			o = interrupted
		}
	}
	r.keep(i, newResult(c, o))
}

var interrupted = Outcome{Status: NotRun, Messages: []string{"the run was interrupted"}}

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

func (r *runner[D]) finish(interrupted bool) *Report {
	r.report.Checks = r.res
	r.report.Interrupted = interrupted
	r.report.Problems = append(r.report.Problems, idleWaivers(r.opts.Config.Waivers, r.suite.All(), r.res)...)
	r.report.summarize()
	return r.report
}
