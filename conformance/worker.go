package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/keyway-go/keyway/internal/procgroup"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
)

// workerVar names, in a child's environment, the file with its job.
const workerVar = "KEYWAY_CONFORMANCE_JOB"

// job is what a child is to do. Its result goes into a file of its own and not
// to standard output, which belongs to the driver.
type job struct {
	Contract string          `json:"contract"`
	Check    string          `json:"check"`
	File     string          `json:"file"`
	Linked   string          `json:"linked,omitempty"`
	DSN      string          `json:"dsn"`
	Options  json.RawMessage `json:"options,omitempty"`
	Limits   Limits          `json:"limits"`
	CacheDir string          `json:"cache_dir"`
	Result   string          `json:"result"`
}

// Worker runs one check and ends the process if this process was started by
// [Run] to do so; otherwise it returns at once. A program that calls Run calls
// it first in main, for every suite that it has; a test does so in TestMain.
func (s *Suite[D]) Worker() {
	file := os.Getenv(workerVar)
	if file == "" {
		return
	}
	j, err := readJob(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if j.Contract != s.Contract.Name() {
		return // of another suite
	}
	os.Unsetenv(workerVar) // not for the driver, nor for processes that it starts
	go dieWithParent()
	if err := writeOutcome(j.Result, s.work(j)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// dieWithParent waits for the end of standard input, which only the parent's
// end can bring about.
func dieWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = procgroup.KillSelf()
}

func (s *Suite[D]) work(j job) Outcome {
	for _, c := range s.All() {
		if c.ID != j.Check {
			continue
		}
		start := time.Now()
		subject := &Subject[D]{File: j.File}
		if !c.unloaded {
			loaded, err := s.load(context.Background(), j.File, j.Linked, j.CacheDir)
			if err != nil {
				return loadOutcome(err, time.Since(start))
			}
			subject = loaded
		}
		loading := time.Since(start)
		subject.DSN, subject.Options = j.DSN, j.Options
		o := c.Do(context.Background(), subject, j.Limits)
		if c.ID == loadsID {
			o.Duration = loading
		}
		return o
	}
	return Outcome{Status: SuiteError, Messages: []string{"this program's suite has no check " + j.Check}}
}

// load takes the driver file, or a driver in the program, through the loader's
// stages.
func (s *Suite[D]) load(ctx context.Context, file, linked, cacheDir string) (*Subject[D], error) {
	l, err := loader.For(s.Contract, loader.Config{FollowLinks: true, CacheDir: cacheDir})
	if err != nil {
		return nil, err
	}
	var d *loader.Driver[D]
	if linked != "" {
		d, err = l.Load(ctx, linked)
	} else {
		d, err = l.LoadFile(ctx, file)
	}
	if err != nil {
		return nil, err
	}
	newDriver := d.New
	if s.Adapt != nil {
		newDriver = s.Adapt(newDriver)
	}
	return &Subject[D]{New: newDriver, Manifest: d.Manifest, File: d.File, Facts: d.Facts}, nil
}

// loadOutcome says why the file did not load, a line each.
func loadOutcome(err error, took time.Duration) Outcome {
	var le *loader.LoadError
	if !errors.As(err, &le) {
		return Outcome{Status: SuiteError, Messages: []string{err.Error()}}
	}
	o := Outcome{Status: Fail, Duration: took, Messages: []string{"the driver was refused at stage " + string(le.Stage), "wanted: " + le.Wanted, "found: " + le.Found}}
	if le.Remedy != "" {
		o.Messages = append(o.Messages, "remedy: "+le.Remedy)
	}
	if len(le.Misfits) > 1 { // the first has been said
		for _, m := range le.Misfits {
			o.Logs = append(o.Logs, "misfit: "+m.String())
		}
	}
	var pe *loader.PanicError
	if errors.As(err, &pe) {
		o.Logs = append(o.Logs, string(pe.Stack))
	}
	return o
}

func readJob(file string) (job, error) {
	var j job
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	return j, err
}

// writeOutcome renames the complete file into place: half a result would be
// none.
func writeOutcome(file string, o Outcome) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	part := filepath.Join(filepath.Dir(file), "part")
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	return os.Rename(part, file)
}

// inProcess returns what runs a check in this process, where the file is
// loaded once, by the first check that needs it.
func (r *runner[D]) inProcess() func(context.Context, Check[D]) Outcome {
	load := sync.OnceValues(func() (*Subject[D], error) {
		return r.suite.load(context.Background(), r.opts.File, r.opts.Linked, r.cacheDir)
	})
	return func(ctx context.Context, c Check[D]) Outcome {
		start := time.Now()
		subject := Subject[D]{File: r.opts.File}
		if !c.unloaded {
			loaded, err := load()
			if err != nil {
				return loadOutcome(err, time.Since(start))
			}
			subject = *loaded
		}
		subject.DSN, subject.Options = r.opts.Config.DSN, r.opts.Config.Suite
		return c.Do(ctx, &subject, r.opts.Limits)
	}
}
