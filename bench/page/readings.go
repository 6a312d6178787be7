package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// readings are what the processes have measured.
type readings struct {
	config map[string]string    // of the last process
	loads  []string             // the load average before each process
	values map[string][]float64 // by benchmark, side and unit; one of each process
}

func read(r io.Reader) (*readings, error) {
	all := &readings{config: map[string]string{}, values: map[string][]float64{}}
	run := ""
	for scan := benchfmt.NewReader(r, resultsFile); scan.Scan(); {
		switch rec := scan.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, rec
		case *benchfmt.Result:
			for _, c := range rec.Config {
				all.config[c.Key] = string(c.Value)
			}
			if run != all.config["run"] {
				run = all.config["run"]
				all.loads = append(all.loads, all.config["load"])
			}
			base, _ := rec.Name.Parts()
			name := string(base)
			_, parts := rec.Name.Parts()
			for _, part := range parts {
				if part[0] == '/' {
					name += strings.Replace(string(part), "/side=", "/", 1)
				}
			}
			for _, v := range rec.Values {
				key := name + " " + unitOf(v)
				all.values[key] = append(all.values[key], inNanoseconds(v))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all.values)) {
		if n := len(all.values[key]); n != len(all.loads) {
			return nil, fmt.Errorf("%s: %d processes have measured %q %d times", resultsFile, len(all.loads), key, n)
		}
	}
	return all, nil
}

// unitOf undoes that benchfmt makes seconds of nanoseconds.
func unitOf(v benchfmt.Value) string {
	if v.OrigUnit != "" {
		return v.OrigUnit
	}
	return v.Unit
}

func inNanoseconds(v benchfmt.Value) float64 {
	if v.OrigUnit != "" {
		return v.OrigValue
	}
	return v.Value
}

// figure is the median over the processes, and between what the median of
// infinitely many would be, with a confidence of 95 %.
type figure struct{ Median, Low, High float64 }

// of returns the figure of a benchmark's side.
func (r *readings) of(benchmark, side, unit string) (figure, error) {
	values, ok := r.values[benchmark+"/"+side+" "+unit]
	if !ok {
		return figure{}, fmt.Errorf("%s: nothing of %s, %s, %s", resultsFile, benchmark, side, unit)
	}
	return summary(values), nil
}

// ratio returns that of two sides: of the two in one process, and then the figure
// of all processes.
func (r *readings) ratio(benchmark, side, to, unit string) (figure, error) {
	a, b := r.values[benchmark+"/"+side+" "+unit], r.values[benchmark+"/"+to+" "+unit]
	if len(a) == 0 || len(a) != len(b) {
		return figure{}, fmt.Errorf("%s: nothing of %s, %s and %s, %s", resultsFile, benchmark, side, to, unit)
	}
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return summary(ratios), nil
}

func summary(values []float64) figure {
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds), 0.95)
	return figure{s.Center, s.Lo, s.Hi}
}
