package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/template"
	"time"
)

//go:embed page.md.tmpl
var pageText string

// page returns README.md.
func page(results io.Reader) ([]byte, error) {
	r, err := read(results)
	if err != nil {
		return nil, err
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"config": func(key string) string { return r.config[key] },
		"runs":   func() int { return len(r.loads) },
		"loads":  r.loadRange,
		"time": func(benchmark, side, unit string) (string, error) {
			f, err := r.of(benchmark, side, unit)
			return duration(f.Median), err
		},
		"ratio": func(benchmark, side, to, unit string) (string, error) {
			f, err := r.ratio(benchmark, side, to, unit)
			return f.String(), err
		},
		"count": func(benchmark, side string) (string, error) {
			f, err := r.of(benchmark, side, "allocations/op")
			return strconv.FormatFloat(f.Median, 'f', -1, 64), err
		},
		"aim": func(most float64, benchmark, side, to, unit string) (string, error) {
			f, err := r.ratio(benchmark, side, to, unit)
			return f.against(most), err
		},
		"under": func(most float64, benchmark, side, unit string) (string, error) {
			f, err := r.of(benchmark, side, unit)
			return f.against(most), err
		},
		"added": r.added,
		"none": func(benchmark, side, to string) (string, error) {
			n, err := r.added(benchmark, side, to)
			return figure{n, n, n}.against(0), err
		},
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, nil)
	return out.Bytes(), err
}

// loadRange returns the lowest and the highest load average.
func (r *readings) loadRange() (string, error) {
	var loads []float64
	for _, text := range r.loads {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return "", fmt.Errorf("%s: load: %w", resultsFile, err)
		}
		loads = append(loads, n)
	}
	return fmt.Sprintf("%.1f to %.1f", slices.Min(loads), slices.Max(loads)), nil
}

// added returns how many allocations of a side one operation has that another
// has not.
func (r *readings) added(benchmark, side, to string) (float64, error) {
	a, err := r.of(benchmark, side, "allocations/op")
	if err != nil {
		return 0, err
	}
	b, err := r.of(benchmark, to, "allocations/op")
	return a.Median - b.Median, err
}

// String returns a ratio with its spread.
func (f figure) String() string {
	digits := 2
	if f.Median >= 10 {
		digits = 0
	}
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, f.Median, digits, f.Low, digits, f.High)
}

// against tells whether a figure is at most what is aimed at, as far as the
// spread lets that be told.
func (f figure) against(most float64) string {
	switch {
	case f.High <= most:
		return "yes"
	case f.Low > most:
		return "no"
	case f.Median <= most:
		return "yes, within the spread"
	}
	return "no, within the spread"
}

// duration writes nanoseconds with three digits that count.
func duration(ns float64) string {
	d, unit := ns, "ns"
	switch {
	case ns >= float64(time.Millisecond):
		d, unit = ns/1e6, "ms"
	case ns >= float64(time.Microsecond):
		d, unit = ns/1e3, "µs"
	}
	digits := max(0, 2-int(math.Floor(math.Log10(max(d, 1)))))
	return fmt.Sprintf("%.*f %s", digits, d, unit)
}
