package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"
	"time"
)

// many is more than the server sends at once.
const many = 100000

const manyRows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n"

// longRows sets how many rows WITH RECURSIVE may give.
func longRows(t *testing.T) string { return server(t).DSN + "?max_recursive_iterations=1000000" }

// TestCallsWhileRowsAreOpen: each is refused, at once, and the rows are read to
// their end on a connection that stays in order.
func TestCallsWhileRowsAreOpen(t *testing.T) {
	db := open(t, longRows(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // which upstream watches
	defer cancel()
	user, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	other, err := user.PrepareContext(ctx, "SELECT 1 WHERE ? = 1")
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Exec":       func() error { _, err := user.ExecContext(ctx, "DO 1"); return err },
		"Exec with":  func() error { _, err := user.ExecContext(ctx, "DO ?", 1); return err },
		"Query":      func() error { _, err := user.QueryContext(ctx, "SELECT 1"); return err },
		"Query with": func() error { _, err := user.QueryContext(ctx, "SELECT ?", 1); return err },
		"Prepare":    func() error { _, err := user.PrepareContext(ctx, "SELECT 1"); return err },
		"Begin":      func() error { _, err := user.BeginTx(ctx, nil); return err },
		"Begin with": func() error {
			_, err := user.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
			return err
		},
		"Ping":       func() error { return user.PingContext(ctx) },
		"Stmt.Exec":  func() error { _, err := other.ExecContext(ctx, 1); return err },
		"Stmt.Query": func() error { _, err := other.QueryContext(ctx, 1); return err },
	} {
		rows, err := user.QueryContext(ctx, manyRows, many)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			if n++; n != 2 && n != many-1 {
				continue
			}
			if err := call(); err != errBusy {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := rows.Err(); err != nil || n != many {
			t.Errorf("%s: %d rows of %d, %v", name, n, many, err)
		}
		if _, err := user.ExecContext(ctx, "DO ?", 1); err != nil {
			t.Fatalf("after the rows: %v", err)
		}
	}
}

// TestStmtCloseWhileRowsAreOpen: the rows are read to their end, and the server
// forgets the statements after that.
func TestStmtCloseWhileRowsAreOpen(t *testing.T) {
	db := open(t, longRows(t))
	user, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	closed := func() (n int) {
		t.Helper()
		err := user.QueryRowContext(t.Context(),
			"SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'COM_STMT_CLOSE'").Scan(&n)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	before := closed()
	st, err := user.PrepareContext(t.Context(), manyRows)
	if err != nil {
		t.Fatal(err)
	}
	other, err := user.PrepareContext(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	r, err := st.QueryContext(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r.Next() {
		if n++; n == 2 {
			if err := errors.Join(st.Close(), other.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	if err := r.Err(); err != nil || n != many {
		t.Errorf("%d rows of %d, %v", n, many, err)
	}
	if got := closed() - before; got != 2 {
		t.Errorf("the server was told of %d closed statements, want 2", got)
	}
}

// TestRowsThatHaveEnded do not keep the connection busy.
func TestRowsThatHaveEnded(t *testing.T) {
	d, err := NewDriver().OpenConnector(server(t).DSN + "?multiStatements=true")
	if err != nil {
		t.Fatal(err)
	}
	up, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	c, ctx := up.(*conn), t.Context()
	dest := make([]driver.Value, 1)
	free := func(when string, want bool) {
		t.Helper()
		if err := c.Ping(ctx); want && err != nil || !want && err != errBusy {
			t.Errorf("%s: %v", when, err)
		}
	}
	query := func(text string) *rows {
		t.Helper()
		r, err := c.QueryContext(ctx, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r.(*rows)
	}

	query("DO 1")
	free("rows of a statement that gives none", true)
	first := query("SELECT 1; DO 1; SELECT 2; DO 1")
	free("before the first row", false)
	if err := first.Next(dest); err != nil {
		t.Error(err)
	}
	if err := first.Next(dest); err != io.EOF {
		t.Error(err)
	}
	free("between two results", false)
	if err := first.NextResultSet(); err != nil {
		t.Error(err)
	}
	free("in the second result", false)
	if err := first.NextResultSet(); err != io.EOF {
		t.Error(err)
	}
	free("after the last result", true)

	second := query("SELECT 1")
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	free("when other rows were closed", false)
	if err := second.Next(dest); err != nil {
		t.Error(err)
	}
	free("in the last row", false)
	if err := second.Next(dest); err != io.EOF {
		t.Error(err)
	}
	free("after the last row", true)

	query("SELECT 1").Close()
	free("after Close", true)
	third := query("SELECT (SELECT b.n FROM (SELECT 1 n UNION SELECT 2) b WHERE b.n <= a.n) FROM (SELECT 1 n UNION SELECT 2) a")
	for err = nil; err == nil; {
		err = third.Next(dest)
	}
	if err == io.EOF {
		t.Error("no error")
	}
	third.Close()
	free("after an error", true)
}

// TestTransactionEndWhileRowsAreOpen: database/sql closes rows before; others get
// an error and can try again.
func TestTransactionEndWhileRowsAreOpen(t *testing.T) {
	c, ctx := rawConn(t), t.Context()
	for range 2 {
		tx, err := c.BeginTx(ctx, driver.TxOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.QueryContext(ctx, "SELECT 1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if commit, rollback := tx.Commit(), tx.Rollback(); commit != errBusy || rollback != errBusy {
			t.Errorf("Commit: %v, Rollback: %v", commit, rollback)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
}
