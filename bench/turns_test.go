//go:build linux

package bench

import (
	"flag"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var turns = flag.Duration("turns", time.Second, "how long the sides of one benchmark take turns")

const (
	// batchTime is how much processor time a side's turn takes at least: far
	// longer than it takes to read the clocks, and so short that most turns are
	// not interrupted on a machine that is busy.
	batchTime = 500 * time.Microsecond
	minRounds = 5
)

// runner is a side of a benchmark.
type runner struct {
	name string
	run  func(n int) error // n operations
	rest func() error      // between turns and not measured; may be nil
}

// reading is the time of one operation, in nanoseconds: by the clock, and what
// this process had of the processors. The latter does not grow because others
// want them, and does not count what another process does for this one.
type reading struct{ wall, cpu float64 }

// takeTurns measures sides that take turns in short batches, and returns the
// medians of each.
func takeTurns(b *testing.B, runners []runner) []reading {
	b.Helper()
	sizes := make([]int, len(runners))
	for i, r := range runners {
		sizes[i] = batchSize(b, r)
	}
	walls, cpus := make([][]float64, len(runners)), make([][]float64, len(runners))
	inTurns(len(runners), func(i int) {
		r := batch(b, runners[i], sizes[i])
		walls[i], cpus[i] = append(walls[i], r.wall), append(cpus[i], r.cpu)
	})
	medians := make([]reading, len(runners))
	for i := range medians {
		medians[i] = reading{median(walls[i]), median(cpus[i])}
	}
	return medians
}

// inTurns lets each of n sides do something again and again, so that what else
// the machine does falls on all of them. Who goes first changes: who comes later
// finds other caches.
func inTurns(n int, do func(i int)) {
	start := time.Now()
	for round := 0; round < minRounds || time.Since(start) < *turns; round++ {
		for i := range n {
			i = (i + round) % n
			if round/n%2 == 1 { // or one would always follow the same other
				i = n - 1 - i
			}
			do(i)
		}
	}
}

func median(of []float64) float64 {
	return slices.Sorted(slices.Values(of))[len(of)/2]
}

// batchSize returns how many operations take batchTime.
func batchSize(b *testing.B, r runner) int {
	b.Helper()
	batch(b, r, 1) // warms up
	n := 1
	for batch(b, r, n).cpu*float64(n) < float64(batchTime) && batch(b, r, n).wall*float64(n) < float64(10*batchTime) {
		n *= 2
	}
	return n
}

func batch(b *testing.B, r runner, n int) reading {
	b.Helper()
	start, used := time.Now(), processorTime()
	err := r.run(n)
	took := reading{float64(time.Since(start)) / float64(n), float64(processorTime()-used) / float64(n)}
	if err == nil && r.rest != nil {
		err = r.rest()
	}
	if err != nil {
		b.Fatalf("%s: %v", r.name, err)
	}
	return took
}

// processorTime is what all threads of this process have had of the processors.
func processorTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err) // Linux has this clock
	}
	return time.Duration(t.Nano())
}

// report makes a benchmark of what was measured of each side, so that benchstat
// can compare them: benchstat -col /side.
func report(b *testing.B, runners []runner, medians []reading, more func(b *testing.B, i int)) {
	for i, r := range runners {
		b.Run("side="+r.name, func(b *testing.B) {
			b.ReportMetric(medians[i].wall, "ns/op")
			b.ReportMetric(medians[i].cpu, "cpu-ns/op")
			if more != nil {
				more(b, i)
			}
		})
	}
}
