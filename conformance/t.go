package conformance

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// Status is what became of a check.
type Status string

// The statuses. A run is good when every check passed, was waived, is
// unsupported or was disabled.
const (
	// Pass: the rule holds.
	Pass Status = "pass"
	// Fail: the rule is broken; the message has the evidence.
	Fail Status = "fail"
	// Crash: the process that ran the check ended without a result, or the
	// driver panicked.
	Crash Status = "crash"
	// Timeout: the check did not end in its time and was killed.
	Timeout Status = "timeout"
	// Unsupported: the rule does not apply, because the driver lacks
	// something that it need not have.
	Unsupported Status = "unsupported"
	// Disabled: the user turned the check off by name.
	Disabled Status = "disabled"
	// Waived: the check failed, and a waiver says why that is known.
	Waived Status = "waived"
	// UnexpectedPass: a waiver stands for the check, but it passes.
	UnexpectedPass Status = "unexpected-pass"
	// SuiteError: the check could not be set up; nothing is known of the
	// rule.
	SuiteError Status = "suite-error"
	// NotRun: the check was not reached, because the driver file did not
	// load or the run was interrupted.
	NotRun Status = "not-run"
)

// T is what a check reports through. Its methods may be called by several
// goroutines, but Fatalf, Unsupported and Setup only by the check's own, since
// they end it. Nothing may be called after the check has returned.
type T struct {
	ctx      context.Context
	patience time.Duration
	tempDir  string

	mu       sync.Mutex // protects following fields
	status   Status     // "" until something is reported
	messages []string
	logs     []string
	cleanups []func()
	cleaned  bool // all cleanups have been called
}

// Context ends when the check's time is up.
func (t *T) Context() context.Context { return t.ctx }

// Patience is how long to wait for something that must be prompt before it
// counts as hanging. A slow machine is given more of it.
func (t *T) Patience() time.Duration { return t.patience }

// TempDir returns a directory of the check's own, which is removed after it.
func (t *T) TempDir() string { return t.tempDir }

// Errorf reports that the rule is broken, with the evidence, and goes on.
func (t *T) Errorf(format string, args ...any) { t.report(Fail, format, args...) }

// Fatalf is Errorf, and ends the check.
func (t *T) Fatalf(format string, args ...any) {
	t.report(Fail, format, args...)
	runtime.Goexit()
}

// Unsupported ends the check because its rule does not apply to this driver.
// What was reported as an error before stands.
func (t *T) Unsupported(format string, args ...any) {
	t.report(Unsupported, format, args...)
	runtime.Goexit()
}

// Setup ends the check as a suite error if err is not nil: something that the
// check needs, but does not test, did not work.
func (t *T) Setup(err error, what string, args ...any) {
	if err == nil {
		return
	}
	t.report(SuiteError, "could not %s: %v", fmt.Sprintf(what, args...), err)
	runtime.Goexit()
}

// Logf keeps a line that is shown if the check does not pass.
func (t *T) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logs = append(t.logs, fmt.Sprintf(format, args...))
}

// Failed tells whether Errorf or Fatalf was called.
func (t *T) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status == Fail
}

// Cleanup calls f when the check has ended, however it ended; the last one
// given is called first. After that, which only a function that Prompt has
// given up can see, it calls f at once.
func (t *T) Cleanup(f func()) {
	t.mu.Lock()
	late := t.cleaned
	if !late {
		t.cleanups = append(t.cleanups, f)
	}
	t.mu.Unlock()
	if late {
		t.apart(f)
	}
}

// Prompt calls f in a goroutine of its own and ends the check with a failure
// if f does not return within Patience; f then goes on alone. A panic of f is
// passed on to the check.
func (t *T) Prompt(what string, f func()) {
	type outcome struct {
		panicked any
		stack    []byte
		returned bool
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if !o.returned {
				o.panicked = recover()
				o.stack = debug.Stack()
			}
			done <- o
		}()
		f()
		o.returned = true
	}()
	timer := time.NewTimer(t.patience)
	defer timer.Stop()
	select {
	case o := <-done:
		switch {
		case o.panicked != nil:
			panic(fmt.Sprintf("%s: %v\n%s", what, o.panicked, o.stack))
		case !o.returned:
			runtime.Goexit() // f ended with Goexit, as Fatalf does
		}
	case <-timer.C:
		t.Fatalf("%s did not return within %s", what, t.patience)
	}
}

// Eventually waits until done returns true, and reports an error and returns
// false if that does not happen within Patience.
func (t *T) Eventually(what string, done func() bool) bool {
	pause := time.Millisecond
	for deadline := time.Now().Add(t.patience); ; {
		if done() {
			return true
		}
		if time.Now().After(deadline) {
			t.Errorf("%s did not happen within %s", what, t.patience)
			return false
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// gravity orders what a check may report: the gravest stands.
var gravity = map[Status]int{"": 0, Unsupported: 1, SuiteError: 2, Timeout: 3, Fail: 4, Crash: 5}

func (t *T) report(s Status, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if gravity[s] > gravity[t.status] {
		t.status = s
	}
	t.messages = append(t.messages, fmt.Sprintf(format, args...))
}

// Outcome is what a check found.
type Outcome struct {
	// Status is what became of the check.
	Status Status
	// Messages are the evidence or the reason; empty when it passed.
	Messages []string
	// Logs are the lines of T.Logf.
	Logs []string
	// Duration is the time from the beginning to the end of the check.
	Duration time.Duration
}

// Limits bound a check.
type Limits struct {
	// Timeout is the time that the whole check has; 0 means 30 s.
	Timeout time.Duration
	// Patience is T.Patience; 0 means a sixth of Timeout.
	Patience time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Timeout <= 0 {
		l.Timeout = 30 * time.Second
	}
	if l.Patience <= 0 {
		l.Patience = l.Timeout / 6
	}
	return l
}

// Do runs the check in this process. A panic of the check's goroutine is
// Crash; a check that does not end in its time is Timeout, and its goroutine
// is left behind.
func (c Check[D]) Do(ctx context.Context, s *Subject[D], limits Limits) Outcome {
	limits = limits.withDefaults()
	start := time.Now()
	dir, err := os.MkdirTemp("", "keyway-check-")
	if err != nil {
		return Outcome{Status: SuiteError, Messages: []string{"could not make a directory for the check: " + err.Error()}}
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, limits.Timeout)
	defer cancel()
	t := &T{ctx: ctx, patience: limits.Patience, tempDir: dir}
	subject := *s
	if subject.DSN, err = expandDSN(s.DSN, dir); err != nil {
		return suiteError("make the DSN", err)
	}

	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.runCleanups()
		defer t.recoverPanic()
		c.Run(t, &subject)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		// The check may be ending for the same reason; its own word is better.
		select {
		case <-done:
		case <-time.After(min(limits.Timeout, time.Second)):
			t.report(Timeout, "the check did not end within %s", limits.Timeout)
			t.Logf("%s", goroutines())
		}
	}
	return t.outcome(time.Since(start))
}

// goroutines returns what all goroutines are doing, as far as 16 KiB go.
func goroutines() []byte {
	buf := make([]byte, 16<<10)
	return buf[:runtime.Stack(buf, true)]
}

func (t *T) recoverPanic() {
	if v := recover(); v != nil {
		t.report(Crash, "panic: %v\n%s", v, debug.Stack())
	}
}

// runCleanups calls what Cleanup was given, the last first. One that panics or
// ends its goroutine, as Fatalf does, does not keep the others from running.
func (t *T) runCleanups() {
	for {
		t.mu.Lock()
		n := len(t.cleanups)
		if n == 0 {
			t.cleaned = true
			t.mu.Unlock()
			return
		}
		f := t.cleanups[n-1]
		t.cleanups = t.cleanups[:n-1]
		t.mu.Unlock()
		t.apart(f)
	}
}

// apart calls f in a goroutine of its own and waits for it.
func (t *T) apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.recoverPanic()
		f()
	}()
	<-done
}

func (t *T) outcome(d time.Duration) Outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := Outcome{Status: t.status, Duration: d, Messages: append([]string(nil), t.messages...), Logs: append([]string(nil), t.logs...)}
	if o.Status == "" {
		o.Status = Pass
	}
	return o
}
