package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyway-go/keyway/contract"
)

// While rows are open other calls are refused, and the rows stay whole.
func TestCallsWhileRowsAreOpen(t *testing.T) {
	ctx := t.Context()
	db := open(t, server(t).DSN)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	prepared, err := tx.Prepare("SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := tx.Query("SELECT n FROM generate_series(1, 3) AS n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
		for name, call := range map[string]func() error{
			"Exec":       func() error { _, err := tx.ExecContext(ctx, "SELECT 1"); return err },
			"Query":      func() error { return queried(tx.QueryContext(ctx, "SELECT 1")) },
			"Prepare":    func() error { _, err := tx.PrepareContext(ctx, "SELECT 2"); return err },
			"Stmt.Exec":  func() error { _, err := prepared.ExecContext(ctx); return err },
			"Stmt.Query": func() error { return queried(prepared.QueryContext(ctx)) },
		} {
			if err := call(); !errors.Is(err, errBusy) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := rows.Err(); err != nil || n != 3 {
		t.Errorf("%d rows, %v", n, err)
	}
	mustExec(t, tx, "SELECT 1")
}

// A Ping of a connection whose rows are open neither waits for them nor ends
// them. Only sql.Conn lets one ask for that.
func TestPingWhileRowsAreOpen(t *testing.T) {
	c, err := open(t, server(t).DSN).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rows, err := c.QueryContext(t.Context(), "SELECT n FROM generate_series(1, 3) AS n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	pinged := make(chan error, 1)
	go func() { pinged <- c.PingContext(context.Background()) }()
	select {
	case err := <-pinged:
		if !errors.Is(err, errBusy) {
			t.Errorf("Ping: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Ping waits for the rows")
	}
	n := 1
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil || n != 3 {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := c.PingContext(t.Context()); err != nil {
		t.Errorf("Ping after the rows: %v", err)
	}
}

func queried(rows *sql.Rows, err error) error {
	if err == nil {
		rows.Close()
	}
	return err
}

// raw calls f with a connection as database/sql has it.
func raw(t *testing.T, db *sql.DB, f func(driver.Conn)) {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Raw(func(c any) error { f(c.(driver.Conn)); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestNestedBegin(t *testing.T) {
	raw(t, open(t, server(t).DSN), func(c driver.Conn) {
		begin := c.(interface{ Begin() (driver.Tx, error) }).Begin
		tx, err := begin()
		if err != nil {
			t.Fatal(err)
		}
		_, err = begin()
		expect(t, "Begin in a transaction", err, "25001", contract.TransactionState)
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if tx, err = begin(); err != nil {
			t.Fatalf("Begin after the transaction: %v", err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	})
}

func TestClosedStatement(t *testing.T) {
	raw(t, open(t, server(t).DSN), func(c driver.Conn) {
		ctx := t.Context()
		// Upstream counts the users of one text.
		first, err := c.Prepare("SELECT 1")
		if err != nil {
			t.Fatal(err)
		}
		second, err := c.Prepare("SELECT 1")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := first.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := prepared(t, c, "SELECT 1"); n != 1 {
			t.Errorf("after one of two statements was closed twice, the server has %d", n)
		}
		if _, err := first.(driver.StmtExecContext).ExecContext(ctx, nil); err != errStmtClosed {
			t.Errorf("ExecContext of a closed statement: %v", err)
		}
		if _, err := first.(driver.StmtQueryContext).QueryContext(ctx, nil); err != errStmtClosed {
			t.Errorf("QueryContext of a closed statement: %v", err)
		}
		if _, err := second.(driver.StmtExecContext).ExecContext(ctx, nil); err != nil {
			t.Errorf("another statement of the same text: %v", err)
		}
		if n := prepared(t, c, "SELECT 1"); n != 1 {
			t.Errorf("after that was executed, the server has %d", n)
		}
		if err := second.Close(); err != nil {
			t.Error(err)
		}
		if n := prepared(t, c, "SELECT 1"); n != 0 {
			t.Errorf("after both statements were closed, the server has %d", n)
		}
	})
}

// A statement may be closed while its rows are open. The server drops it as soon
// as they are closed.
func TestStatementClosedBeforeItsRows(t *testing.T) {
	const text = "SELECT n FROM generate_series(1, 3) AS n -- closed early"
	for name, next := range map[string]func(context.Context, driver.Conn) error{
		"ExecContext": func(ctx context.Context, c driver.Conn) error {
			return errOf(c.(driver.ExecerContext).ExecContext(ctx, "SELECT 1", nil))
		},
		"PrepareContext": func(ctx context.Context, c driver.Conn) error {
			s, err := c.(driver.ConnPrepareContext).PrepareContext(ctx, text)
			if err != nil {
				return err
			}
			return s.Close()
		},
		"Ping":         func(ctx context.Context, c driver.Conn) error { return c.(driver.Pinger).Ping(ctx) },
		"ResetSession": func(ctx context.Context, c driver.Conn) error { return c.(driver.SessionResetter).ResetSession(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			raw(t, open(t, server(t).DSN), func(c driver.Conn) {
				s, err := c.Prepare(text)
				if err != nil {
					t.Fatal(err)
				}
				rows, err := s.(driver.StmtQueryContext).QueryContext(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if err := s.Close(); err != nil {
						t.Errorf("Close of the statement: %v", err)
					}
				}
				_ = next(t.Context(), c) // with rows open
				n, values := 0, make([]driver.Value, 1)
				for err = rows.Next(values); err == nil; err = rows.Next(values) {
					n++
				}
				if err != io.EOF || n != 3 {
					t.Errorf("%d rows, %v", n, err)
				}
				if err := rows.Close(); err != nil {
					t.Error(err)
				}
				if err := next(t.Context(), c); err != nil {
					t.Error(err)
				}
				if n := prepared(t, c, text); n != 0 {
					t.Errorf("the server has %d", n)
				}
			})
		})
	}
}

// The same as database/sql does it.
func TestStatementOfTransactionClosedBeforeItsRows(t *testing.T) {
	db := open(t, server(t).DSN)
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	s, err := tx.Prepare("SELECT 1 -- closed early")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Query()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), rows.Close(), tx.Commit()); err != nil {
		t.Error(err)
	}
	var n int
	const query = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%closed early'"
	if err := db.QueryRow(query).Scan(&n); err != nil || n != 0 {
		t.Errorf("the server has %d, %v", n, err)
	}
}

// prepared counts the statements that the server keeps for a text.
func prepared(t *testing.T, c driver.Conn, text string) (n int) {
	t.Helper()
	const query = "SELECT count(*) FROM pg_prepared_statements WHERE statement = $1"
	if err := c.(interface{ Conn() *pgx.Conn }).Conn().QueryRow(t.Context(), query, text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A context that ends before anything is sent is no reason to try again.
func TestEndedContext(t *testing.T) {
	raw(t, open(t, server(t).DSN), func(c driver.Conn) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for name, err := range map[string]error{
			"ExecContext":    errOf(c.(driver.ExecerContext).ExecContext(ctx, "SELECT 1", nil)),
			"QueryContext":   errOf(c.(driver.QueryerContext).QueryContext(ctx, "SELECT 1", nil)),
			"PrepareContext": errOf(c.(driver.ConnPrepareContext).PrepareContext(ctx, "SELECT 1")),
			"BeginTx":        errOf(c.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{})),
			"Ping":           c.(driver.Pinger).Ping(ctx),
		} {
			if !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrBadConn) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := c.(driver.Pinger).Ping(t.Context()); err != nil {
			t.Errorf("the connection was harmed: %v", err)
		}
		if got := done(ctx, driver.ErrBadConn); got != context.Canceled {
			t.Errorf("driver.ErrBadConn of a call whose context ended meanwhile: %v", got)
		}
		if got := done(t.Context(), driver.ErrBadConn); got != driver.ErrBadConn {
			t.Errorf("driver.ErrBadConn of another call: %v", got)
		}
	})
}

func TestPingOfClosedConnection(t *testing.T) {
	c, err := NewDriver().(driver.Driver).Open(server(t).DSN)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), ended} {
		if err := c.(driver.Pinger).Ping(ctx); err != driver.ErrBadConn {
			t.Errorf("got %v", err)
		}
	}
}

func errOf[R any](_ R, err error) error { return err }

// What upstream has beyond driver.Conn is still there.
func TestUpstreamIsReachable(t *testing.T) {
	raw(t, open(t, server(t).DSN), func(c driver.Conn) {
		up, ok := c.(interface{ Conn() *pgx.Conn })
		if !ok {
			t.Fatal("no method Conn")
		}
		var n int
		if err := up.Conn().QueryRow(t.Context(), "SELECT 42").Scan(&n); err != nil || n != 42 {
			t.Errorf("%d, %v", n, err)
		}
	})
}
