//go:build linux

package bench

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/internal/procgroup"
	"github.com/keyway-go/keyway/loader"
)

// firstVar holds the first that a child is to do.
const firstVar = "KEYWAY_BENCH_FIRST"

// first is a program's first query through a driver file, which a process can do
// once.
type first struct {
	Side  string
	File  string // named sqlite.so
	Cache string // for private copies
	DSN   string
}

// firstTook is what the child has measured.
type firstTook struct {
	Load, Query time.Duration
	CPU         time.Duration // of both
}

// BenchmarkFirst compares the time from the start of main to the first answer of
// a database, in processes of their own that take turns: the driver file opened
// by hand, by Keyway with the private copy in place, as it is every time but the
// first, and by Keyway the very first time, when the copy is made.
//
// ns/op is all of it; load-ns/op goes until there is a *sql.DB, query-ns/op is the rest.
func BenchmarkFirst(b *testing.B) {
	file, cache := filepath.Join(b.TempDir(), "sqlite.so"), b.TempDir()
	content, err := os.ReadFile(fixture.SQLite(b))
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		b.Fatal(err)
	}
	keep := first{Side: keyway, File: file, Cache: cache, DSN: filepath.Join(b.TempDir(), "first.db")}
	hand, anew := keep, keep
	hand.Side, anew.Cache = byHand, filepath.Join(cache, "anew")
	runners := []runner{{name: byHand}, {name: keyway}, {name: keyway + "-no-copy"}}
	loads, queries, sums, cpus := make([][]float64, 3), make([][]float64, 3), make([][]float64, 3), make([][]float64, 3)
	inTurns(len(runners), func(i int) {
		took, err := []first{hand, keep, anew}[i].inChild(b.Context())
		if err == nil {
			err = os.RemoveAll(anew.Cache)
		}
		if err != nil {
			b.Fatalf("%s: %v", runners[i].name, err)
		}
		loads[i], queries[i] = append(loads[i], float64(took.Load)), append(queries[i], float64(took.Query))
		sums[i], cpus[i] = append(sums[i], float64(took.Load+took.Query)), append(cpus[i], float64(took.CPU))
	})
	medians := make([]reading, len(runners))
	for i := range medians {
		medians[i] = reading{median(sums[i]), median(cpus[i])}
	}
	report(b, runners, medians, func(b *testing.B, i int) {
		b.ReportMetric(median(loads[i]), "load-ns/op")
		b.ReportMetric(median(queries[i]), "query-ns/op")
	})
}

func (f first) inChild(ctx context.Context) (took firstTook, err error) {
	text, err := json.Marshal(f)
	if err != nil {
		return took, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), firstVar+"="+string(text))
	cmd.Stderr = os.Stderr
	procgroup.Own(cmd)
	out, err := cmd.Output()
	if err != nil {
		return took, err
	}
	return took, json.Unmarshal(out, &took)
}

// firstMain is the child. It returns its exit code.
func firstMain(text string) int {
	start, used := time.Now(), processorTime()
	var f first
	err := json.Unmarshal([]byte(text), &f)
	var took firstTook
	if err == nil {
		took, err = f.run(start)
		took.CPU = processorTime() - used
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(took)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (f first) run(start time.Time) (took firstTook, err error) {
	ctx := context.Background()
	db, err := f.open(ctx)
	if err != nil {
		return took, err
	}
	defer db.Close()
	took.Load = time.Since(start)
	var version string
	err = db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version)
	took.Query = time.Since(start) - took.Load
	return took, err
}

func (f first) open(ctx context.Context) (*sql.DB, error) {
	if f.Side == keyway {
		l, err := loader.New(loader.Config{Dirs: []string{filepath.Dir(f.File)}, CacheDir: f.Cache})
		if err != nil {
			return nil, err
		}
		return l.OpenDB(ctx, "sqlite", f.DSN)
	}
	d, err := openByHand(f.File)
	if err != nil {
		return nil, err
	}
	return direct(byHand, d).open(ctx, f.DSN)
}
