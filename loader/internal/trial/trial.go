// Package trial is the line between a program and the child that it starts to
// try a driver file: how a process knows that it is such a child, what it is
// told, and what it tells.
//
// The child is the program itself, with one variable more, whose value is a
// random token, and with three pipes as descriptors 3 to 5: the job, which
// begins with the same token, the report, and what is to become standard output.
// So a variable that was inherited, or that somebody sets, makes no process a
// child. Whoever starts a program with variables and pipes of their choice has
// the program's rights already, unless it gains rights by being started (setuid,
// setgid, file capabilities): such a process is never a child. A process that
// has the variable and is no child ends, since it may not reach its main
// function by mistake.
package trial

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Variable is the environment variable that a child is started with. It is
// unset before any code of a driver runs.
const Variable = "KEYWAY_PROBE_CHILD"

// Job is what a child is to do.
type Job struct {
	// Token is what the child's variable holds, too.
	Token string
	// File is the staged driver file, and Driver the name in its manifest.
	File, Driver string
}

// Doing is what a child is about to do.
type Doing string

// The steps of a child, in their order.
const (
	Nothing   Doing = ""
	Open      Doing = "open"      // the dynamic linker and the init functions
	NewDriver Doing = "NewDriver" // and Name
	Leave     Doing = "leave"     // exit
)

// Fault is what a child found wrong.
type Fault struct {
	// Wanted, Found and Remedy are those of a loader.LoadError.
	Wanted, Found, Remedy string
	// Stack is the stack of a panic, or "".
	Stack string
	// Behaviour tells that the file's code did it, and not the machine.
	Behaviour bool
}

// message is a line of a child's report.
type message struct {
	Doing Doing  `json:",omitempty"`
	Fault *Fault `json:",omitempty"`
}

// Result is what became of a child.
type Result struct {
	// Doing is the last step that the child began; if it is Leave, the child
	// came to an end of its job, and Fault is what it found.
	Doing Doing
	// Fault is nil if the child found none.
	Fault *Fault
	// TimedOut tells that the child was killed because its time was over.
	TimedOut bool
	// ExitCode is the exit status, or -1 if a signal ended the child.
	ExitCode int
	// Signal is the name of that signal, or "".
	Signal string
	// Took is how long the child lived.
	Took time.Duration
	// Stdout and Stderr are what was printed while the job was done, and for
	// Stderr also before.
	Stdout, Stderr Excerpt
}

// Executable returns what a child is started from: on Linux the very file that
// runs, even when another one has been put in its place. Where /proc is missing
// there is no other way: os.Executable reads it, too, and so does a child that
// asks what rights it has.
func Executable() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// excerptSize is how many bytes an Excerpt keeps of either end.
const excerptSize = 2 << 10

// Excerpt keeps the first and the last bytes that were written to it: a Go
// crash says what happened first, other programs say it last. It is safe for
// concurrent use.
type Excerpt struct {
	mu         sync.Mutex // protects following fields
	head, tail []byte
	total      int
}

// Write never fails.
func (e *Excerpt) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total += len(p)
	n := min(len(p), excerptSize-len(e.head))
	e.head = append(e.head, p[:n]...)
	e.tail = append(e.tail, p[n:]...)
	if more := len(e.tail) - excerptSize; more > 0 {
		e.tail = append(e.tail[:0], e.tail[more:]...)
	}
	return len(p), nil
}

// Total is how many bytes were written.
func (e *Excerpt) Total() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.total
}

// String returns valid UTF-8 without a new line at its end.
func (e *Excerpt) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := bytes.Clone(e.head)
	if left := e.total - len(e.head) - len(e.tail); left > 0 {
		text = fmt.Appendf(text, "\n... %d bytes ...\n", left)
	}
	return strings.ToValidUTF8(strings.TrimRight(string(append(text, e.tail...)), "\n"), "?")
}

// try is what a child does with its job; see Register.
var try func(job Job, doing func(Doing)) *Fault

// Register gives the function that does a child's job. It tells each step that
// it begins, and returns what it found wrong, or nil. It is called in an init
// function, by package loader.
func Register(f func(job Job, doing func(Doing)) *Fault) { try = f }

var linked bool

// Linked tells whether Main was called, hence whether a child of this program
// would do its job.
func Linked() bool { return linked }
