//go:build linux

package loader

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader/internal/opener"
)

func BenchmarkDriverAgain(b *testing.B) {
	l := newLoader(b, Config{})
	_, err := l.LoadFile(b.Context(), good(b))
	require.NoError(b, err)
	b.Run("Driver", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Driver("good")
		}
	})
	b.Run("Load", func(b *testing.B) {
		b.ReportAllocs()
		ctx := b.Context()
		for b.Loop() {
			_, _ = l.Load(ctx, "good")
		}
	})
}

// BenchmarkPipeline compares the whole way of the sqlite driver file with the
// least that could be done: to read, hash and open it. A process can do either
// once, so each reading is a process of its own; the two take turns, and the
// medians count. In first-ns the private copy is also written.
func BenchmarkPipeline(b *testing.B) {
	file := fixture.SQLite(b)
	cache := b.TempDir()
	first := measure(b, "pipeline", file, cache)
	var bare, pipeline []time.Duration
	for b.Loop() {
		bare = append(bare, measure(b, "bare", file, cache))
		pipeline = append(pipeline, measure(b, "pipeline", file, cache))
	}
	slices.Sort(bare)
	slices.Sort(pipeline)
	middle := len(bare) / 2
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(first), "first-ns")
	b.ReportMetric(float64(bare[middle]), "bare-ns")
	b.ReportMetric(float64(pipeline[middle]), "pipeline-ns")
	b.ReportMetric(float64(pipeline[middle])/float64(bare[middle]), "ratio")
}

// measure runs a measurement in a new process.
func measure(b *testing.B, what, file, cache string) time.Duration {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchVar+"="+strings.Join([]string{what, file, cache}, string(filepath.ListSeparator)))
	out, err := cmd.Output()
	require.NoError(b, err, "%s", out)
	ns, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	require.NoError(b, err)
	return time.Duration(ns)
}

// benchMain is the new process. It prints nanoseconds.
func benchMain(job string) {
	parts := filepath.SplitList(job)
	what, file, cache := parts[0], parts[1], parts[2]
	open := map[string]func() error{
		"bare": func() error { return bareOpen(file) },
		"pipeline": func() error {
			l, err := New(Config{CacheDir: cache})
			if err == nil {
				_, err = l.LoadFile(context.Background(), file)
			}
			return err
		},
	}
	start := time.Now()
	err := open[what]()
	took := time.Since(start)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(took.Nanoseconds())
	os.Exit(0)
}

var benchSum [sha256.Size]byte // keeps the compiler from leaving the hash out

func bareOpen(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	benchSum = sha256.Sum256(text)
	_, err = opener.Open(file)
	return err
}
