//go:build linux || freebsd

package trial

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

// process is what a driver file must leave as it was.
type process struct {
	dir    string
	stdout fileID
	stderr fileID
}

type fileID struct{ dev, ino uint64 }

func look() (process, error) {
	var p process
	var err error
	if p.dir, err = os.Getwd(); err != nil {
		p.dir = "" // a removed directory, say
	}
	if p.stdout, err = identify(syscall.Stdout); err != nil {
		return p, err
	}
	if p.stderr, err = identify(syscall.Stderr); err != nil {
		return p, err
	}
	return p, nil
}

func identify(fd int) (fileID, error) {
	var st syscall.Stat_t
	err := syscall.Fstat(fd, &st)
	return fileID{uint64(st.Dev), uint64(st.Ino)}, err
}

// changed returns the first thing that is not as it was, or nil.
func (p process) changed() *Fault {
	fault := func(wanted, found string) *Fault {
		return &Fault{Wanted: wanted, Found: found, Behaviour: true,
			Remedy: "init functions and NewDriver leave the process as it was; report this to the driver's author"}
	}
	for _, std := range []struct {
		name string
		fd   int
		was  fileID
	}{{"standard output", syscall.Stdout, p.stdout}, {"standard error", syscall.Stderr, p.stderr}} {
		now, err := identify(std.fd)
		if err != nil {
			return fault(std.name+" left open", "it closed")
		}
		if now != std.was {
			return fault(std.name+" left as it is", "another file in its place")
		}
	}
	if dir, err := os.Getwd(); err == nil && p.dir != "" && dir != p.dir {
		return fault("the working directory "+p.dir, fmt.Sprintf("a change to %q", dir))
	}
	if left := leftGoroutines(); len(left) > 0 {
		f := fault("no goroutine that stays", fmt.Sprintf("%d, %s", len(left), creator(left[0])))
		f.Stack = strings.Join(left[:min(len(left), 4)], "\n\n")
		return f
	}
	return nil
}

// settleTime is how long goroutines that are about to end are waited for. Only
// a file that started some takes any of it.
const settleTime = time.Second

func leftGoroutines() []string {
	// Labels are in stacks only if this asks for them.
	_ = os.Setenv("GODEBUG", strings.TrimPrefix(os.Getenv("GODEBUG")+",tracebacklabels=1", ","))
	for deadline := time.Now().Add(settleTime); ; time.Sleep(time.Millisecond) {
		left := slices.DeleteFunc(stacks(), func(g string) bool { return !isMarked(g) })
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

// mark is the label of the goroutine that runs a file's code, which those have
// that it starts and that these start. A goroutine without it is the program's,
// whenever it was started; so is one whose labels the file itself has replaced,
// since to blame a file wrongly is worse.
const mark = "keyway probe"

// marked calls a function whose goroutines are told from others.
func marked(f func()) {
	pprof.Do(context.Background(), pprof.Labels(mark, "driver file"), func(context.Context) { f() })
}

func isMarked(stack string) bool {
	head, _, _ := strings.Cut(stack, "\n")
	return strings.Contains(head, mark)
}

// maxStacks bounds what is read of the goroutines' stacks: some 100,000 of them.
const maxStacks = 64 << 20

// stacks returns the stacks of the goroutines, but for those of the runtime.
func stacks() []string {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= maxStacks {
			return strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")
		}
	}
}

// nameOf takes "goroutine 7" from the stack's "goroutine 7 [chan receive]:".
func nameOf(stack string) string {
	name, _, _ := strings.Cut(stack, " [")
	return name
}

// creator takes the line "created by" from a stack.
func creator(stack string) string {
	for line := range strings.Lines(stack) {
		if strings.HasPrefix(line, "created by ") {
			return strings.TrimSpace(line)
		}
	}
	return nameOf(stack)
}
