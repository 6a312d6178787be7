//go:build linux

package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

const (
	rows     = 50_000 // in the table that is read
	part     = 250    // of them, at a time
	inserted = 500    // in one transaction
)

// job is something that is done with a database.
type job struct {
	name string
	// prepare returns one operation. What it leaves open goes with the database,
	// so such a job is the last one.
	prepare func(ctx context.Context, db *sql.DB) (op func(i int) error, err error)
	// writes tells that operations leave rows, which are deleted between turns.
	writes bool
	// here tells that it is of no use to measure a driver in another process.
	here bool
}

var jobs = []job{
	{name: "point", prepare: point},
	{name: "point-prepared", prepare: pointPrepared},
	{name: "insert", prepare: insert, writes: true},
	{name: "insert-bulk", prepare: insertBulk, writes: true},
	{name: "scan", prepare: scan},
	{name: "scan-part", prepare: scanPart, here: true},
}

// BenchmarkQuery compares the sides doing the same jobs, each with a database
// file of its own. allocations/op counts those of this process.
func BenchmarkQuery(b *testing.B) {
	all := sides(b)
	dbs := openAll(b, all)
	for _, j := range jobs {
		b.Run(j.name, func(b *testing.B) {
			var runners []runner
			for i, s := range all {
				if !j.here || s.name != grpc {
					runners = append(runners, j.runner(b, s.name, dbs[i]))
				}
			}
			medians := takeTurns(b, runners)
			report(b, runners, medians, func(b *testing.B, i int) {
				b.ReportMetric(allocations(b, runners[i]), "allocations/op")
			})
		})
	}
}

func (j job) runner(t testing.TB, name string, db *sql.DB) runner {
	t.Helper()
	// One that can be cancelled makes database/sql and the driver start goroutines,
	// which would only blur the difference.
	ctx := context.Background()
	op, err := j.prepare(ctx, db)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	done := 0
	r := runner{name: name, run: func(n int) error {
		for range n {
			done++
			if err := op(done); err != nil {
				return err
			}
		}
		return nil
	}}
	if j.writes {
		r.rest = func() error {
			_, err := db.ExecContext(ctx, `DELETE FROM written`)
			return err
		}
	}
	return r
}

// allocations returns how many one operation makes. It is the lowest of some
// readings, as a garbage collection empties the pools of many packages.
func allocations(t testing.TB, r runner) float64 {
	t.Helper()
	lowest := math.Inf(1)
	for range 5 {
		lowest = min(lowest, testing.AllocsPerRun(1, func() {
			if err := r.run(1); err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
		}))
	}
	return lowest
}

func point(ctx context.Context, db *sql.DB) (func(int) error, error) {
	return func(i int) error {
		var n int
		var s string
		return db.QueryRowContext(ctx, `SELECT n, s FROM t WHERE id = ?`, i%rows+1).Scan(&n, &s)
	}, nil
}

func pointPrepared(ctx context.Context, db *sql.DB) (func(int) error, error) {
	stmt, err := db.PrepareContext(ctx, `SELECT n, s FROM t WHERE id = ?`)
	if err != nil {
		return nil, err
	}
	return func(i int) error {
		var n int
		var s string
		return stmt.QueryRowContext(ctx, i%rows+1).Scan(&n, &s)
	}, nil
}

// insert writes row by row, in one transaction.
func insert(ctx context.Context, db *sql.DB) (func(int) error, error) {
	return func(int) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		stmt, err := tx.PrepareContext(ctx, `INSERT INTO written (n, s) VALUES (?, ?)`)
		if err != nil {
			return err
		}
		defer stmt.Close()
		for n := range inserted {
			if _, err := stmt.ExecContext(ctx, n, "some text"); err != nil {
				return err
			}
		}
		return tx.Commit()
	}, nil
}

// insertBulk writes as many rows with one statement.
func insertBulk(ctx context.Context, db *sql.DB) (func(int) error, error) {
	text := `INSERT INTO written (n, s) VALUES (?, ?)` + strings.Repeat(`, (?, ?)`, inserted-1)
	args := make([]any, 0, 2*inserted)
	for n := range inserted {
		args = append(args, n, "some text")
	}
	return func(int) error {
		_, err := db.ExecContext(ctx, text, args...)
		return err
	}, nil
}

// scan reads all rows.
func scan(ctx context.Context, db *sql.DB) (func(int) error, error) {
	return func(int) error {
		result, err := db.QueryContext(ctx, `SELECT n, s FROM t`)
		if err != nil {
			return err
		}
		defer result.Close()
		read := 0
		for ; result.Next(); read++ {
			var n int
			var s string
			if err := result.Scan(&n, &s); err != nil {
				return err
			}
		}
		if read != rows {
			return errors.Join(result.Err(), fmt.Errorf("wanted %d rows, found %d", rows, read))
		}
		return result.Err()
	}, nil
}

// scanPart reads some rows of a scan, and then some more, so that turns can be
// short. Another process would read ahead while others have their turns.
func scanPart(ctx context.Context, db *sql.DB) (func(int) error, error) {
	var result *sql.Rows
	return func(int) error {
		for range part {
			if result == nil || !result.Next() {
				if result != nil {
					if err := errors.Join(result.Err(), result.Close()); err != nil {
						return err
					}
				}
				var err error
				if result, err = db.QueryContext(ctx, `SELECT n, s FROM t`); err != nil {
					return err
				}
				result.Next()
			}
			var n int
			var s string
			if err := result.Scan(&n, &s); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// openAll opens a database for each side, with the same tables in it, and
// leaves each one connection, since the pool is not what is measured.
func openAll(t testing.TB, all []side) []*sql.DB {
	t.Helper()
	dbs := make([]*sql.DB, len(all))
	for i, s := range all {
		db, err := s.open(t.Context(), filepath.Join(t.TempDir(), s.name+".db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		t.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(1)
		for _, text := range []string{
			`CREATE TABLE written (n INTEGER, s TEXT)`,
			`CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT)`,
			fmt.Sprintf(`WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
				INSERT INTO t SELECT i, i * 7919 %% 10007, hex(i * 7919 %% 10007) FROM c`, rows),
		} {
			if _, err := db.ExecContext(t.Context(), text); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		dbs[i] = db
	}
	return dbs
}
