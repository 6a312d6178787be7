package sqlsuite

import (
	"os"
	"runtime"
	"time"
)

// steady is the number of rounds of noLeak: enough for one thing that is left
// behind in each round to stand out from what a driver starts once.
const steady = 40

// noLeak reports an error if what count counts grows with the number of times
// that round is called. What the driver starts once, or keeps a few of, does
// not count, nor what ends a little after the round.
func (e *env) noLeak(what string, count func() int, round func()) {
	for range steady / 4 {
		round()
	}
	before := e.calm(count)
	for range steady {
		round()
	}
	after, allowed := 0, before+steady/4
	if !e.settles(func() bool { after = count(); return after <= allowed }) {
		e.Errorf("%s: %d before and %d after %d rounds", what, before, after, steady)
	}
}

// calm counts when nothing has changed for some milliseconds. It is only for
// what there was before: a count that is still too high lets a leak pass, and
// accuses nobody.
func (e *env) calm(count func() int) int {
	n, same := count(), 0
	e.settles(func() bool {
		now := count()
		if same++; now != n {
			n, same = now, 0
		}
		return same >= 5
	})
	return n
}

// settles waits until done returns true and tells whether it did, within
// Patience, without reporting anything.
func (e *env) settles(done func() bool) bool {
	pause := time.Millisecond
	for deadline := time.Now().Add(e.Patience()); ; {
		if done() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// goroutines counts the goroutines of the process.
func goroutines() int { return runtime.NumGoroutine() }

// descriptors counts the open file descriptors of the process; the check is
// unsupported where they cannot be counted.
func (e *env) descriptors() int {
	n, ok := countDescriptors()
	if !ok {
		e.Unsupported("this system does not list the open file descriptors of a process")
	}
	return n
}

func countDescriptors() (n int, ok bool) {
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if entries, err := os.ReadDir(dir); err == nil {
			return len(entries), true
		}
	}
	return 0, false
}

// resources counts goroutines, and file descriptors where that is possible.
func resources() int {
	n, _ := countDescriptors()
	return n + goroutines()
}
