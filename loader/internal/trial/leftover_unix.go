//go:build linux || freebsd

package trial

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is what a driver file must leave as it was.
type process struct {
	dir        string
	stdout     fileID
	stderr     fileID
	goroutines map[string]bool // by their first lines, "goroutine 1"
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
	p.goroutines = map[string]bool{}
	for _, g := range stacks() {
		p.goroutines[nameOf(g)] = true
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
	if left := p.leftGoroutines(); len(left) > 0 {
		f := fault("no goroutine that stays", fmt.Sprintf("%d, %s", len(left), creator(left[0])))
		f.Stack = strings.Join(left[:min(len(left), 4)], "\n\n")
		return f
	}
	return nil
}

// settleTime is how long goroutines that are about to end are waited for. Only
// a file that started some takes any of it.
const settleTime = time.Second

func (p process) leftGoroutines() []string {
	for deadline := time.Now().Add(settleTime); ; time.Sleep(time.Millisecond) {
		var left []string
		for _, g := range stacks() {
			if !p.goroutines[nameOf(g)] {
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

// stacks returns the stacks of the goroutines, but for those of the runtime.
func stacks() []string {
	buf := make([]byte, 64<<10)
	return strings.Split(strings.TrimSpace(string(buf[:runtime.Stack(buf, true)])), "\n\n")
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
