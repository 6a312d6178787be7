package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/keyway-go/keyway/internal/procgroup"
)

// killDelay is how long after a check's own time its process is killed: enough
// to load the file before and to report a timeout with evidence after it.
func killDelay(timeout time.Duration) time.Duration { return max(3*time.Second, timeout/3) }

// inChild runs a check in a process of its own.
func (r *runner[D]) inChild(ctx context.Context, c Check[D]) Outcome {
	start := time.Now()
	dir, err := os.MkdirTemp(r.tempDir, "check-")
	if err != nil {
		return suiteError("make a directory", err)
	}
	defer os.RemoveAll(dir)
	result := filepath.Join(dir, "result.json")
	text, err := json.Marshal(job{Contract: r.suite.Contract.Name(), Check: c.ID, File: r.opts.File, Linked: r.opts.Linked, DSN: r.opts.Config.DSN,
		Options: r.opts.Config.Suite, Limits: r.opts.Limits, CacheDir: r.cacheDir, Result: result})
	if err != nil {
		return suiteError("write the job", err)
	}
	jobFile := filepath.Join(dir, "job.json")
	temp := filepath.Join(dir, "tmp")
	if err := errors.Join(os.WriteFile(jobFile, text, 0o600), os.Mkdir(temp, 0o700)); err != nil {
		return suiteError("write the job", err)
	}
	limit := r.opts.Limits.Timeout + killDelay(r.opts.Limits.Timeout)
	end := runChild(ctx, limit, workerVar+"="+jobFile, "TMPDIR="+temp)
	if end.startErr != nil {
		return suiteError("start the process of the check", end.startErr)
	}
	if o, err := readOutcome(result); err == nil {
		return o
	}
	o := Outcome{Status: Crash, Duration: time.Since(start), Messages: []string{"the process ended without a result: " + end.how}}
	if end.timedOut {
		o.Status = Timeout
		o.Messages = []string{fmt.Sprintf("the process was killed after %s", limit)}
	}
	if end.output != "" {
		o.Messages = append(o.Messages, "its output was:")
		o.Messages = append(o.Messages, strings.Split(end.output, "\n")...)
	}
	return o
}

func suiteError(what string, err error) Outcome {
	return Outcome{Status: SuiteError, Messages: []string{"could not " + what + ": " + err.Error()}}
}

func readOutcome(file string) (Outcome, error) {
	var o Outcome
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	return o, err
}

// childEnd is how a process ended.
type childEnd struct {
	startErr error
	timedOut bool
	how      string // exit status or signal
	output   string // an excerpt of standard output and error
}

// runChild starts this program again and waits for it. Whatever happens, no
// process of its group is left.
func runChild(ctx context.Context, timeout time.Duration, env ...string) childEnd {
	self, err := os.Executable()
	if err != nil {
		return childEnd{startErr: err}
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, self)
	cmd.Env = append(os.Environ(), env...)
	var out excerpt
	cmd.Stdout, cmd.Stderr = &out, &out
	// The pipe's other end is never written to; the child sees it close when
	// this process is gone.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return childEnd{startErr: err}
	}
	defer stdin.Close()
	procgroup.Own(cmd)
	if err := cmd.Start(); err != nil {
		return childEnd{startErr: err}
	}
	err = procgroup.Wait(cmd)
	end := childEnd{how: "exit status 0", output: out.String(), timedOut: limited.Err() != nil && ctx.Err() == nil}
	if err != nil {
		end.how = err.Error()
	}
	return end
}

// excerpt keeps the first and the last bytes that were written to it: a Go
// crash says what happened first, other programs say it last.
type excerpt struct {
	mu         sync.Mutex
	head, tail []byte
	left       int // bytes that neither holds
}

const excerptSize = 4 << 10

func (e *excerpt) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(p), excerptSize-len(e.head))
	e.head = append(e.head, p[:n]...)
	e.tail = append(e.tail, p[n:]...)
	if more := len(e.tail) - excerptSize; more > 0 {
		e.tail = append(e.tail[:0], e.tail[more:]...)
		e.left += more
	}
	return len(p), nil
}

// String returns valid UTF-8 without a new line at its end.
func (e *excerpt) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := string(e.head)
	if e.left > 0 {
		s += fmt.Sprintf("\n... %d bytes ...\n", e.left)
	}
	return strings.ToValidUTF8(strings.TrimRight(s+string(e.tail), "\n"), "?")
}
