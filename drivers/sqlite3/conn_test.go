package sqlite3

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/keyway-go/keyway/contract"
	upstream "github.com/mattn/go-sqlite3"
)

var background = context.Background()

// raw returns a connection as database/sql gets it.
func raw(t *testing.T, dsn string) *conn {
	t.Helper()
	c, err := connectorFor(t, dsn).Connect(background)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*conn)
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestCloseEndsEverything: a connection that is closed with an open
// transaction, statement and rows leaves no lock, and what it leaves returns
// errors.
func TestCloseEndsEverything(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	mustExec(t, open(t, file), "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)")
	c := raw(t, file)
	tx := must[driver.Tx](t)(c.BeginTx(background, driver.TxOptions{}))
	insert := must[driver.Stmt](t)(c.Prepare("INSERT INTO t VALUES (3)")).(*stmt)
	if _, err := insert.ExecContext(background, nil); err != nil {
		t.Fatal(err)
	}
	prepared := must[driver.Stmt](t)(c.Prepare("SELECT a FROM t")).(*stmt)
	rows := must[driver.Rows](t)(prepared.QueryContext(background, nil))
	direct := must[driver.Rows](t)(c.QueryContext(background, "SELECT a FROM t", nil))
	dest := make([]driver.Value, 1)
	if err := errors.Join(rows.Next(dest), direct.Next(dest), c.Close()); err != nil {
		t.Fatal(err)
	}
	if len(c.children) > 0 {
		t.Errorf("%d statements and rows are left", len(c.children))
	}

	mustExec(t, open(t, file+"?_timeout=1&_locking=exclusive"), "INSERT INTO t VALUES (4)")
	for name, call := range map[string]func() error{
		"Prepare":          func() error { _, err := c.Prepare("SELECT 1"); return err },
		"Exec":             func() error { _, err := c.Exec("SELECT 1", nil); return err },
		"Query":            func() error { _, err := c.Query("SELECT 1", nil); return err },
		"Begin":            func() error { _, err := c.Begin(); return err },
		"Ping":             func() error { return c.Ping(background) },
		"Commit":           tx.Commit,
		"Stmt.Exec":        func() error { _, err := insert.Exec(nil); return err },
		"Stmt.Query":       func() error { _, err := prepared.Query(nil); return err },
		"Rows.Next":        func() error { return rows.Next(dest) },
		"direct Rows.Next": func() error { return direct.Next(dest) },
	} {
		err := call()
		if err == nil || err == io.EOF || contract.CodeOf(NewDriver(), err) != contract.Unknown {
			t.Errorf("%s after Conn.Close: %v", name, err)
		}
	}
	if err := errors.Join(rows.Close(), direct.Close(), prepared.Close(), insert.Close(), c.Close()); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// TestStmtCloseWithOpenRows: the rows are read to their end, and the statement
// ends with them.
func TestStmtCloseWithOpenRows(t *testing.T) {
	c := raw(t, ":memory:")
	s := must[driver.Stmt](t)(c.Prepare("SELECT 1 UNION SELECT 2")).(*stmt)
	r := must[driver.Rows](t)(s.Query(nil))
	dest := make([]driver.Value, 1)
	if err := errors.Join(r.Next(dest), s.Close(), r.Next(dest)); err != nil || dest[0] != int64(2) {
		t.Errorf("%v, %v", dest, err)
	}
	for range 2 {
		if err := r.Next(dest); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	}
	if _, err := s.Query(nil); err == nil {
		t.Error("a closed statement runs")
	}
	if got := reflect.ValueOf(s.SQLiteStmt).Elem().FieldByName("closed").Bool(); got {
		t.Error("the statement was finalized before its rows were closed")
	}
	if err := errors.Join(r.Close(), r.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if got := reflect.ValueOf(s.SQLiteStmt).Elem().FieldByName("closed").Bool(); !got || len(c.children) > 0 {
		t.Error("the statement was never finalized")
	}
	if name := r.(*rows).ColumnTypeDatabaseTypeName(0); name != "" || r.(*rows).ColumnTypeScanType(0) == nil {
		t.Errorf("types of closed rows: %q", name)
	}
}

// TestStmtRunsTwice: rows of one statement that are open at once do not share a
// cursor, and nothing is left of them.
func TestStmtRunsTwice(t *testing.T) {
	c := raw(t, ":memory:")
	s := must[driver.Stmt](t)(c.Prepare("SELECT ?1 UNION ALL SELECT ?1 + 1")).(*stmt)
	first := must[driver.Rows](t)(s.Query([]driver.Value{int64(1)}))
	dest := make([]driver.Value, 1)
	if err := first.Next(dest); err != nil || dest[0] != int64(1) {
		t.Fatalf("%v, %v", dest, err)
	}
	second := must[driver.Rows](t)(s.Query([]driver.Value{int64(10)}))
	if _, err := s.Exec([]driver.Value{int64(100)}); err != nil {
		t.Error(err)
	}
	for _, want := range []struct {
		rows  driver.Rows
		value int64
	}{{second, 10}, {first, 2}, {second, 11}} {
		if err := want.rows.Next(dest); err != nil || dest[0] != want.value {
			t.Errorf("%v, %v; want %d", dest, err, want.value)
		}
	}
	if err := errors.Join(first.Close(), second.Close(), s.Close()); err != nil || len(c.children) > 0 {
		t.Errorf("%v; %d statements and rows are left", err, len(c.children))
	}
}

// TestRowsAfterAnError: rows that failed do not begin anew.
func TestRowsAfterAnError(t *testing.T) {
	r := must[driver.Rows](t)(raw(t, ":memory:").Query("SELECT 1 UNION ALL SELECT abs(-9223372036854775808)", nil))
	defer r.Close()
	dest := make([]driver.Value, 1)
	if err := r.Next(dest); err != nil {
		t.Fatal(err)
	}
	first := r.Next(dest)
	if again := r.Next(dest); first == nil || first == io.EOF || again != first {
		t.Errorf("%v, then %v", first, again)
	}
}

// TestEmptyStatements: what isBlank says is what SQLite says, and running it
// does nothing.
func TestEmptyStatements(t *testing.T) {
	c := raw(t, ":memory:")
	for query, blank := range map[string]bool{
		"": true, " \t\r\n\f": true, ";": true, " ; ;": true, "-- x": true, "-- x\n;": true, "/* x */": true, "/* x": true, "/**/": true,
		"/*/ SELECT 1": true, "\ufeff": true, "\ufeff -- x": true, "\x00SELECT 1": true, " /* a */ -- b\n /* c */;": true,
		"SELECT 1": false, "-- x\nSELECT 1": false, "/* x */SELECT 1": false, ";SELECT 1": false, "\ufeffSELECT 1": false,
		"/*/ */ SELECT 1": false,
	} {
		s, err := c.Prepare(query)
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		if got := reflect.ValueOf(s.(*stmt).SQLiteStmt).Elem().FieldByName("s").IsNil(); got != blank || isBlank(query) != blank {
			t.Errorf("%q: empty to SQLite %v, to isBlank %v, want %v", query, got, isBlank(query), blank)
			continue
		}
		result, err := s.(*stmt).Exec(nil)
		if err != nil {
			t.Errorf("%q: %v", query, err)
		} else if n, err := result.RowsAffected(); n != 0 || err != nil {
			t.Errorf("%q: %d rows, %v", query, n, err)
		}
		r, err := s.(*stmt).Query(nil)
		if err != nil {
			t.Errorf("%q: %v", query, err)
		} else if err := r.Next(make([]driver.Value, len(r.Columns()))); blank && err != io.EOF {
			t.Errorf("%q: %v", query, err)
		}
		s.Close()
	}
}

// TestEndedContexts: nothing is begun for a context that has ended.
func TestEndedContexts(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	cancel()
	c := raw(t, ":memory:")
	s := must[driver.Stmt](t)(c.Prepare("CREATE TABLE t(a)")).(*stmt)
	for name, call := range map[string]func() error{
		"Ping":       func() error { return c.Ping(ctx) },
		"Prepare":    func() error { _, err := c.PrepareContext(ctx, "SELECT 1"); return err },
		"Exec":       func() error { _, err := c.ExecContext(ctx, "CREATE TABLE t(a)", nil); return err },
		"Query":      func() error { _, err := c.QueryContext(ctx, "SELECT 1", nil); return err },
		"BeginTx":    func() error { _, err := c.BeginTx(ctx, driver.TxOptions{}); return err },
		"Stmt.Exec":  func() error { _, err := s.ExecContext(ctx, nil); return err },
		"Stmt.Query": func() error { _, err := s.QueryContext(ctx, nil); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Exec(nil); err != nil {
		t.Error(err)
	}
	if !c.AutoCommit() {
		t.Error("a transaction was begun")
	}
}

// TestReadOnlyTransactions: they cannot write, and the connection is afterwards
// what it was.
func TestReadOnlyTransactions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	mustExec(t, open(t, file), "CREATE TABLE t(a)")
	for param, writable := range map[string]bool{"": true, "?_query_only=1": false} {
		for _, commit := range []bool{true, false} {
			db := open(t, file+param)
			db.SetMaxOpenConns(1)
			tx, err := db.BeginTx(background, &sql.TxOptions{ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			_, err = tx.Exec("INSERT INTO t VALUES (1)")
			if got := contract.CodeOf(NewDriver(), err); got != contract.ReadOnly {
				t.Errorf("code %s: %v", got, err)
			}
			end := tx.Rollback
			if commit {
				end = tx.Commit
			}
			if err := end(); err != nil {
				t.Error(err)
			}
			if _, err := db.Exec("INSERT INTO t VALUES (2)"); (err == nil) != writable {
				t.Errorf("%q, commit %v: a write afterwards: %v", param, commit, err)
			}
		}
	}
}

// TestTransactionsLeftOpen do not reach the next user of the connection.
func TestTransactionsLeftOpen(t *testing.T) {
	db := open(t, ":memory:?_foreign_keys=1")
	db.SetMaxOpenConns(1)
	mustExec(t, db, "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
	for _, queries := range []string{
		"BEGIN; INSERT INTO t VALUES (NULL)",
		"BEGIN EXCLUSIVE; INSERT INTO t VALUES (NULL)",
		"SAVEPOINT s; INSERT INTO t VALUES (NULL)",
	} {
		mustExec(t, db, queries)
		next(t, db, queries)
	}
	if _, err := db.Exec("BEGIN; INSERT INTO t VALUES (1); COMMIT"); err == nil { // and it is open still
		t.Fatal("the foreign key is not checked")
	}
	next(t, db, "a COMMIT that failed")
}

// next is a user of the pool.
func next(t *testing.T, db *sql.DB, before string) {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Errorf("%s: %v", before, err)
		mustExec(t, db, "ROLLBACK")
		return
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil || n != 0 {
		t.Errorf("%s: %d rows, %v", before, n, err)
	}
}

// TestResetSession: a connection that cannot be reset is not used again.
func TestResetSession(t *testing.T) {
	c := raw(t, ":memory:")
	if err := c.ResetSession(background); err != nil {
		t.Error(err)
	}
	must[driver.Result](t)(c.Exec("BEGIN", nil))
	c.RegisterAuthorizer(func(int, string, string, string) int { return upstream.SQLITE_DENY })
	if err := c.ResetSession(background); err != driver.ErrBadConn {
		t.Errorf("when ROLLBACK is denied: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.ResetSession(background); err != driver.ErrBadConn {
		t.Errorf("when it is closed: %v", err)
	}
}

// TestTransactionEndsOnce: what has ended does not end the next one.
func TestTransactionEndsOnce(t *testing.T) {
	c := raw(t, ":memory:")
	begin := func() driver.Tx {
		t.Helper()
		return must[driver.Tx](t)(c.BeginTx(background, driver.TxOptions{ReadOnly: true}))
	}
	for _, commit := range []bool{true, false} {
		first := begin()
		end := first.Rollback
		if commit {
			end = first.Commit
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		second := begin()
		for name, call := range map[string]func() error{"Commit": first.Commit, "Rollback": first.Rollback} {
			if err := call(); err != errTxEnded {
				t.Errorf("%s of the first: %v", name, err)
			}
		}
		if on := must[int64](t)(c.queryOnly()); on != 1 || c.AutoCommit() {
			t.Errorf("the second one has ended: %v; query_only %d", c.AutoCommit(), on)
		}
		if err := second.Commit(); err != nil {
			t.Error(err)
		}
	}
	left := begin()
	if err := c.ResetSession(background); err != nil {
		t.Error(err)
	}
	if on := must[int64](t)(c.queryOnly()); on != 0 {
		t.Error("a connection that was reset cannot write")
	}
	third := begin()
	if err := left.Rollback(); err != errTxEnded || c.AutoCommit() {
		t.Errorf("after a reset: %v", err)
	}
	if err := third.Commit(); err != nil {
		t.Error(err)
	}
}

func TestIsolationLevels(t *testing.T) {
	db := open(t, ":memory:")
	for level := sql.LevelDefault - 1; level <= sql.LevelLinearizable+1; level++ {
		tx, err := db.BeginTx(background, &sql.TxOptions{Isolation: level})
		if want := level >= sql.LevelDefault && level <= sql.LevelSerializable; (err == nil) != want {
			t.Errorf("%s: %v", level, err)
		}
		if err == nil {
			tx.Rollback()
		}
	}
}

// TestMethodsOfUpstream: what database/sql does not know stays within reach.
func TestMethodsOfUpstream(t *testing.T) {
	db := open(t, ":memory:")
	db.SetMaxOpenConns(1)
	c := must[*sql.Conn](t)(db.Conn(background))
	err := c.Raw(func(dc any) error {
		return dc.(interface {
			RegisterFunc(name string, impl any, pure bool) error
		}).RegisterFunc("twice", func(n int64) int64 { return 2 * n }, true)
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	var n int
	if err := db.QueryRow("SELECT twice(21)").Scan(&n); err != nil || n != 42 {
		t.Errorf("%d, %v", n, err)
	}
}
