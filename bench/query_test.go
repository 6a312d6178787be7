//go:build linux

package bench

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/keyway-go/keyway/drivers/sqlite"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
)

const rows = 200_000

// BenchmarkQuery compares one driver, SQLite in Go, linked in and in a driver
// file. The two take turns in small batches, so that what else the machine does
// falls on both, and medians are compared: ratio is that of the file to the
// linked one. In scan it is the highest: in what is done for each row, the copy of
// the runtime's code that every plugin has and the host's take turns.
func BenchmarkQuery(b *testing.B) {
	linked, isolated := openLinked(b), openIsolated(b)
	for _, job := range []struct {
		name string
		size int // how many are a batch
		run  func(ctx context.Context, db *sql.DB, i int) error
	}{
		{"insert", 500, insert},
		{"point", 500, point},
		{"sort", 1, sorted},
		{"scan", 1, scanned},
	} {
		b.Run(job.name, func(b *testing.B) { takeTurns(b, job.size, job.run, linked, isolated) })
	}
}

func takeTurns(b *testing.B, size int, run func(context.Context, *sql.DB, int) error, linked, isolated *sql.DB) {
	i := 0
	batch := func(db *sql.DB) time.Duration {
		start := time.Now()
		for range size {
			i++
			if err := run(b.Context(), db, i); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start) / time.Duration(size)
	}
	var in, out []time.Duration
	for turn := 0; b.Loop(); turn++ {
		if turn%2 == 0 { // who goes second finds another cache than who goes first
			in, out = append(in, batch(linked)), append(out, batch(isolated))
		} else {
			out, in = append(out, batch(isolated)), append(in, batch(linked))
		}
	}
	slices.Sort(in)
	slices.Sort(out)
	middle := len(in) / 2
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(in[middle]), "linked-ns")
	b.ReportMetric(float64(out[middle]), "isolated-ns")
	b.ReportMetric(float64(out[middle])/float64(in[middle]), "ratio")
}

func insert(ctx context.Context, db *sql.DB, i int) error {
	_, err := db.ExecContext(ctx, `INSERT INTO written (n, s) VALUES (?, ?)`, i, "some text")
	return err
}

func point(ctx context.Context, db *sql.DB, i int) error {
	var n int
	var s string
	return db.QueryRowContext(ctx, `SELECT n, s FROM t WHERE id = ?`, i%rows+1).Scan(&n, &s)
}

// sorted sorts all rows and reads the last.
func sorted(ctx context.Context, db *sql.DB, _ int) error {
	var n int
	var s string
	return db.QueryRowContext(ctx, `SELECT n, s FROM t ORDER BY s, n LIMIT 1 OFFSET ?`, rows-1).Scan(&n, &s)
}

// scanned reads all rows.
func scanned(ctx context.Context, db *sql.DB, _ int) error {
	result, err := db.QueryContext(ctx, `SELECT n, s FROM t`)
	if err != nil {
		return err
	}
	defer result.Close()
	for result.Next() {
		var n int
		var s string
		if err := result.Scan(&n, &s); err != nil {
			return err
		}
	}
	return result.Err()
}

const parameters = "?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"

func openLinked(b *testing.B) *sql.DB {
	connector, err := sqlite.NewDriver().OpenConnector(filepath.Join(b.TempDir(), "linked.db") + parameters)
	if err != nil {
		b.Fatal(err)
	}
	return fill(b, sql.OpenDB(connector))
}

func openIsolated(b *testing.B) *sql.DB {
	l, err := loader.New(loader.Config{CacheDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	d, err := l.LoadFile(b.Context(), fixture.SQLite(b))
	if err != nil {
		b.Fatal(err)
	}
	connector, err := d.Value.OpenConnector(filepath.Join(b.TempDir(), "isolated.db") + parameters)
	if err != nil {
		b.Fatal(err)
	}
	return fill(b, sql.OpenDB(connector))
}

// fill makes the tables, and leaves one connection, since a pool is not what is
// measured.
func fill(b *testing.B, db *sql.DB) *sql.DB {
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, text := range []string{
		`CREATE TABLE written (n INTEGER, s TEXT)`,
		`CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT)`,
		fmt.Sprintf(`WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
			INSERT INTO t SELECT i, i * 7919 %% 10007, hex(i * 7919 %% 10007) FROM c`, rows),
	} {
		if _, err := db.ExecContext(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
	return db
}
