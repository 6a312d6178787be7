//go:build linux

package bench

import (
	"database/sql"
	"fmt"
	"testing"
)

// What is compared must do the same: every side, above all the remote one, which
// this module makes itself.
func TestSidesAnswerAlike(t *testing.T) {
	all := sides(t)
	dbs := openAll(t, all)
	for i, s := range all {
		t.Run(s.name, func(t *testing.T) {
			if s.driver.Name() != "sqlite" {
				t.Errorf("its name is %q", s.driver.Name())
			}
			answersKinds(t, dbs[i])
			answersNumbers(t, dbs[i])
			answersAfterLeaving(t, dbs[i])
			answersTransaction(t, dbs[i])
			if _, err := dbs[i].ExecContext(t.Context(), `no statement`); err == nil {
				t.Error("wanted a syntax error, found none")
			}
		})
	}
}

func answersKinds(t *testing.T, db *sql.DB) {
	t.Helper()
	const want = `[<nil> -9223372036854775808 2.5 text [0 255] 7 another]`
	row := make([]any, 7)
	to := make([]any, len(row))
	for i := range row {
		to[i] = &row[i]
	}
	for range 2 {
		err := db.QueryRowContext(t.Context(), `SELECT NULL, -9223372036854775808, 2.5, 'text', x'00ff', ?, ?`, 7, "another").Scan(to...)
		if found := fmt.Sprint(row); err != nil || found != want {
			t.Errorf("wanted %s, found %s, %v", want, found, err)
		}
	}
}

// answersNumbers reads as many rows as a message holds, and one more or less.
func answersNumbers(t *testing.T, db *sql.DB) {
	t.Helper()
	for _, want := range []int{0, 1, 511, 512, 513, 1024} {
		result, err := db.QueryContext(t.Context(), `SELECT n FROM t LIMIT ?`, want)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for result.Next() {
			count++
		}
		if err := result.Err(); count != want || err != nil {
			t.Errorf("wanted %d rows, found %d, %v", want, count, err)
		}
	}
}

// answersAfterLeaving leaves rows behind, of which more are on their way.
func answersAfterLeaving(t *testing.T, db *sql.DB) {
	t.Helper()
	result, err := db.QueryContext(t.Context(), `SELECT n FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Next() {
		t.Errorf("wanted a row, found %v", result.Err())
	}
	if err := result.Close(); err != nil {
		t.Errorf("rows that were left: %v", err)
	}
	var count, sum int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*), sum(id) FROM t`).Scan(&count, &sum); err != nil || count != rows || sum != rows*(rows+1)/2 {
		t.Errorf("wanted %d rows, found %d with sum %d, %v", rows, count, sum, err)
	}
}

func answersTransaction(t *testing.T, db *sql.DB) {
	t.Helper()
	for _, keep := range []bool{false, true} {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := tx.ExecContext(t.Context(), `INSERT INTO written (n, s) VALUES (1, ''), (2, '')`)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.RowsAffected(); n != 2 || err != nil {
			t.Errorf("wanted 2 rows affected, found %d, %v", n, err)
		}
		want, end := 0, tx.Rollback
		if keep {
			want, end = 2, tx.Commit
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		var count int
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM written`).Scan(&count); err != nil || count != want {
			t.Errorf("wanted %d rows, found %d, %v", want, count, err)
		}
	}
}
