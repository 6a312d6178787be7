//go:build linux || freebsd

package trial

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/keyway-go/keyway/internal/procgroup"
)

// drainTime is how long output is waited for after the child's process group
// was killed. Only a process that left the group can hold it open; a machine that
// has no time for this process must not make a good end look like a bad one.
const drainTime = 3 * time.Second

// Start starts this program again as a child, with a job whose token it makes,
// and waits until it is gone and nothing is left of its process group. An error
// says that there was no child, or is ctx.Err().
func Start(ctx context.Context, limit time.Duration, job Job) (*Result, error) {
	self, err := Executable()
	if err != nil {
		return nil, err
	}
	var p pipes
	defer p.close()
	if err := p.open(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	job.Token = rand.Text()
	cmd := exec.CommandContext(limited, self)
	if len(os.Args) > 0 { // none, if the program was started or changed itself so
		cmd.Args[0] = os.Args[0]
	}
	cmd.Env = append(os.Environ(), Variable+"="+job.Token)
	p.attach(cmd)
	procgroup.Own(cmd)
	// A child that is stopped does not see that its parent is gone. One that
	// runs does not mind, so it does no harm that the system goes by the thread
	// that has started the child, which may end before the process.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGCONT
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.closeOthers()
	var r Result
	reading := p.read(&r)
	// A job is shorter than what a pipe holds. A child that is gone already
	// says why below.
	_ = json.NewEncoder(p.job.w).Encode(job)
	waited := procgroup.Wait(cmd)
	r.Took = time.Since(start)
	p.expire(time.Now().Add(drainTime))
	reading.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if cmd.ProcessState == nil { // SIGCHLD is ignored, or somebody else waits for all children
		return nil, fmt.Errorf("how the child process ended is not known: %w", waited)
	}
	r.ended(cmd.ProcessState, errors.Is(limited.Err(), context.DeadlineExceeded))
	return &r, nil
}

// ended fills in how the process ended.
func (r *Result) ended(state *os.ProcessState, late bool) {
	r.ExitCode = state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		r.Signal = signalName(ws.Signal())
		r.TimedOut = late && ws.Signal() == syscall.SIGKILL
	}
}

// signalName returns the name that manuals use for the signals that end a
// process.
func signalName(s syscall.Signal) string {
	names := map[syscall.Signal]string{
		syscall.SIGABRT: "SIGABRT", syscall.SIGALRM: "SIGALRM", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE",
		syscall.SIGHUP: "SIGHUP", syscall.SIGILL: "SIGILL", syscall.SIGINT: "SIGINT", syscall.SIGKILL: "SIGKILL",
		syscall.SIGPIPE: "SIGPIPE", syscall.SIGQUIT: "SIGQUIT", syscall.SIGSEGV: "SIGSEGV", syscall.SIGSYS: "SIGSYS",
		syscall.SIGTERM: "SIGTERM", syscall.SIGTRAP: "SIGTRAP", syscall.SIGXCPU: "SIGXCPU", syscall.SIGXFSZ: "SIGXFSZ",
	}
	if name, ok := names[s]; ok {
		return name
	}
	return s.String()
}

// pipes connect a program with its child.
type pipes struct{ job, report, stdout, stderr pipe }

type pipe struct{ r, w *os.File }

func (p *pipes) all() []*pipe { return []*pipe{&p.job, &p.report, &p.stdout, &p.stderr} }

func (p *pipes) open() (err error) {
	for _, one := range p.all() {
		if one.r, one.w, err = os.Pipe(); err != nil {
			return err
		}
	}
	return nil
}

// attach gives a command the child's ends, in the order of the descriptors that
// the child knows.
func (p *pipes) attach(cmd *exec.Cmd) {
	cmd.ExtraFiles = []*os.File{p.job.r, p.report.w, p.stdout.w}
	cmd.Stderr = p.stderr.w
}

// closeOthers closes the child's ends.
func (p *pipes) closeOthers() {
	for _, f := range []*os.File{p.job.r, p.report.w, p.stdout.w, p.stderr.w} {
		_ = f.Close()
	}
}

// close closes what was opened and is not closed yet.
func (p *pipes) close() {
	for _, one := range p.all() {
		_ = one.r.Close() // of a nil file, too
		_ = one.w.Close()
	}
}

// expire ends all reading at a time.
func (p *pipes) expire(at time.Time) {
	for _, f := range []*os.File{p.report.r, p.stdout.r, p.stderr.r} {
		_ = f.SetReadDeadline(at)
	}
}

// maxReport bounds what is read of a report; stacks are in it.
const maxReport = 1 << 20

// read fills in what the child says. The group ends when all of it was read.
func (p *pipes) read(r *Result) *sync.WaitGroup {
	var wg sync.WaitGroup
	wg.Go(func() {
		d := json.NewDecoder(io.LimitReader(p.report.r, maxReport))
		for {
			var m message
			if d.Decode(&m) != nil {
				_, _ = io.Copy(io.Discard, p.report.r) // nobody is to wait for a reader
				return
			}
			r.Doing, r.Fault = m.Doing, m.Fault
		}
	})
	wg.Go(func() { _, _ = io.Copy(&r.Stdout, p.stdout.r) })
	wg.Go(func() { _, _ = io.Copy(&r.Stderr, p.stderr.r) })
	return &wg
}
