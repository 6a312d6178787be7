package main

import (
	"os"
	"strings"
	"testing"
)

// README.md must be what the readings make it.
func TestPageIsOfTheReadings(t *testing.T) {
	t.Chdir("..")
	results, err := os.Open(resultsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer results.Close()
	wanted, err := page(results)
	if err != nil {
		t.Fatal(err)
	}
	found, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(wanted) != string(found) {
		t.Errorf("%s is not what %s makes it; in bench: go run ./page -render", pageFile, resultsFile)
	}
}

const twoRuns = `go: go1.26
run: 1
load: 1.00
BenchmarkQuery/point/side=linked-2 1 100 ns/op 90 cpu-ns/op 3 allocations/op
BenchmarkQuery/point/side=keyway-2 1 110 ns/op 99 cpu-ns/op 4 allocations/op
run: 2
load: 2.50
BenchmarkQuery/point/side=linked-2 1 300 ns/op 200 cpu-ns/op 3 allocations/op
BenchmarkQuery/point/side=keyway-2 1 390 ns/op 240 cpu-ns/op 4 allocations/op
`

func TestRead(t *testing.T) {
	r, err := read(strings.NewReader(twoRuns))
	if err != nil {
		t.Fatal(err)
	}
	// A ratio is of one process: that of the medians would be 250/200.
	f, err := r.ratio("Query/point", "keyway", "linked", "ns/op")
	if err != nil || f.Median < 1.199 || f.Median > 1.201 {
		t.Errorf("wanted a ratio between 1.1 and 1.3, found %v, %v", f, err)
	}
	if f, err := r.of("Query/point", "linked", "cpu-ns/op"); err != nil || f.Median != 145 {
		t.Errorf("wanted 145 ns, found %v, %v", f, err)
	}
	if n, err := r.added("Query/point", "keyway", "linked"); err != nil || n != 1 {
		t.Errorf("wanted one allocation, found %v, %v", n, err)
	}
	if loads, err := r.loadRange(); err != nil || loads != "1.0 to 2.5" {
		t.Errorf("wanted 1.0 to 2.5, found %v, %v", loads, err)
	}
	if _, err := r.of("Query/point", "nobody", "ns/op"); err == nil {
		t.Error("wanted an error about a side that is not there")
	}
}

// A process that ended early would shift the readings of those after it.
func TestReadRefusesGaps(t *testing.T) {
	text := strings.Replace(twoRuns, "BenchmarkQuery/point/side=keyway-2 1 110 ns/op 99 cpu-ns/op 4 allocations/op\n", "", 1)
	if _, err := read(strings.NewReader(text)); err == nil {
		t.Error("wanted an error")
	}
}

func TestAgainst(t *testing.T) {
	for _, c := range []struct {
		f    figure
		want string
	}{
		{figure{1, 0.9, 1.05}, "yes"},
		{figure{1, 0.9, 1.06}, "yes, within the spread"},
		{figure{1.06, 1.04, 1.08}, "no, within the spread"},
		{figure{1.07, 1.06, 1.08}, "no"},
	} {
		if got := c.f.against(1.05); got != c.want {
			t.Errorf("%v: wanted %q, found %q", c.f, c.want, got)
		}
	}
}

func TestDuration(t *testing.T) {
	for ns, want := range map[float64]string{0.93: "0.93 ns", 4.518: "4.52 ns", 37.7: "37.7 ns", 999: "999 ns", 29067: "29.1 µs", 2601070: "2.60 ms", 178414179: "178 ms"} {
		if got := duration(ns); got != want {
			t.Errorf("%v: wanted %s, found %s", ns, want, got)
		}
	}
}
