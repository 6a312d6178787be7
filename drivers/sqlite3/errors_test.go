package sqlite3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyway-go/keyway/contract"
	upstream "github.com/mattn/go-sqlite3"
)

const schema = `
CREATE TABLE p(id INTEGER PRIMARY KEY, u TEXT UNIQUE, n TEXT NOT NULL DEFAULT '', c INT CHECK (c > 0));
CREATE TABLE k(a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE f(p REFERENCES p(id));
CREATE TABLE bad(x REFERENCES p(c));
CREATE TABLE s(i INTEGER) STRICT;
CREATE VIEW v AS SELECT 1;
CREATE INDEX i ON p(c);
CREATE TRIGGER tr BEFORE DELETE ON k BEGIN SELECT RAISE(ABORT, 'no such table: not really'); END;
INSERT INTO p(id, u) VALUES(1, 'one');
INSERT INTO k VALUES(1, 1);`

// TestErrorsOfStatements provokes each error, and looks at it bare and wrapped.
func TestErrorsOfStatements(t *testing.T) {
	db := open(t, "file:"+filepath.Join(t.TempDir(), "a.db")+"?_fk=1")
	db.SetMaxOpenConns(1)
	mustExec(t, db, schema)
	tests := []struct {
		query, state string
		code         contract.Code
	}{
		{"INSERT INTO p(u) VALUES('one')", "23505", contract.UniqueViolation},
		{"INSERT INTO p(id) VALUES(1)", "23505", contract.UniqueViolation},
		{"INSERT INTO k VALUES(1, 1)", "23505", contract.UniqueViolation},
		{"INSERT INTO f VALUES(99)", "23503", contract.ForeignKeyViolation},
		{"INSERT INTO p(n) VALUES(NULL)", "23502", contract.NotNullViolation},
		{"INSERT INTO p(c) VALUES(0)", "23514", contract.CheckViolation},
		{"DELETE FROM k", "23000", contract.ConstraintViolation},
		{"INSERT INTO s VALUES('x')", "22005", contract.InvalidData},
		{"INSERT INTO p(id) VALUES('x')", "22005", contract.InvalidData},
		{"INSERT INTO bad VALUES(1)", "42830", contract.Syntax},
		{"SELEC 1", "42601", contract.Syntax},
		{"SELECT (", "42601", contract.Syntax},
		{"SELECT #", "42601", contract.Syntax},
		{"INSERT INTO f VALUES(1, 2)", "42601", contract.Syntax},
		{"SELECT 1 UNION SELECT 1, 2", "42601", contract.Syntax},
		{`SELECT * FROM "near ""x"": syntax error"`, "42P01", contract.UndefinedObject},
		{"SELECT * FROM missing", "42P01", contract.UndefinedObject},
		{"DROP VIEW missing", "42P01", contract.UndefinedObject},
		{"SELECT missing FROM p", "42703", contract.UndefinedObject},
		{"INSERT INTO p(missing) VALUES(1)", "42703", contract.UndefinedObject},
		{"SELECT missing()", "42883", contract.UndefinedObject},
		{"SELECT abs(1, 2)", "42883", contract.UndefinedObject},
		{"DROP INDEX missing", "42704", contract.UndefinedObject},
		{"DROP TRIGGER missing", "42704", contract.UndefinedObject},
		{"SELECT 1 ORDER BY 1 COLLATE missing", "42704", contract.UndefinedObject},
		{"CREATE VIRTUAL TABLE z USING missing", "42704", contract.UndefinedObject},
		{"CREATE TABLE missing.t(a)", "3F000", contract.UndefinedObject},
		{"ROLLBACK TO missing", "3B001", contract.CodeOfState("3B001")},
		{"SELECT id FROM p AS x, p AS y", "42702", contract.Syntax},
		{"SELECT 1 WHERE count(*) > 0", "42803", contract.Syntax},
		{"INSERT INTO v VALUES(1)", "42809", contract.Syntax},
		{"CREATE TABLE p(a)", "42P07", contract.DuplicateObject},
		{"CREATE VIEW v AS SELECT 2", "42P07", contract.DuplicateObject},
		{"CREATE INDEX i ON p(n)", "42P07", contract.DuplicateObject},
		{"CREATE TABLE i(a)", "42P07", contract.DuplicateObject},
		{"CREATE TRIGGER tr AFTER DELETE ON p BEGIN SELECT 1; END", "42710", contract.DuplicateObject},
		{"CREATE TABLE z(a, a)", "42701", contract.DuplicateObject},
		{"ATTACH ':memory:' AS main", "42710", contract.DuplicateObject},
		{"COMMIT", "25P01", contract.TransactionState},
		{"ROLLBACK", "25P01", contract.TransactionState},
		{"BEGIN; BEGIN", "25001", contract.TransactionState},
		{"BEGIN; VACUUM", "25001", contract.TransactionState},
		{"BEGIN; ROLLBACK; ROLLBACK", "25P01", contract.TransactionState},
		{"SELECT abs(-9223372036854775808)", "22003", contract.InvalidData},
		{"SELECT json('{')", "22032", contract.InvalidData},
		{"SELECT 'a' LIKE 'b' ESCAPE 'cc'", "22019", contract.InvalidData},
		{"SELECT zeroblob(1000000001)", "54000", contract.Resources},
		{"PRAGMA max_page_count = 1; CREATE TABLE z(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 100) " +
			"INSERT INTO z SELECT zeroblob(5000) FROM n", "53100", contract.Resources},
		{"PRAGMA query_only = 1; CREATE TABLE zz(a)", "25006", contract.ReadOnly},
	}
	d := NewDriver()
	for _, tt := range tests {
		_, err := db.Exec(tt.query)
		if err == nil {
			t.Errorf("%s: no error", tt.query)
			continue
		}
		for _, err := range []error{err, fmt.Errorf("wrapped: %w", err)} {
			if got := contract.SQLStateOf(d, err); got != tt.state {
				t.Errorf("%s: SQLSTATE %q, want %q: %v", tt.query, got, tt.state, err)
			}
			if got := contract.CodeOf(d, err); got != tt.code {
				t.Errorf("%s: code %s, want %s: %v", tt.query, got, tt.code, err)
			}
		}
	}
}

// TestErrorsOfFiles has those that need a file of some kind.
func TestErrorsOfFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.db")
	mustExec(t, open(t, file), "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
	notADatabase := filepath.Join(dir, "text.db")
	damaged := filepath.Join(dir, "damaged.db")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copy(whole[4096:], make([]byte, 4096))
	if err := errors.Join(os.WriteFile(notADatabase, []byte("this is text, and long enough for a header of a database: "+
		"it has more than a hundred bytes"), 0o600), os.WriteFile(damaged, whole, 0o600)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		dsn, state string
		code       contract.Code
	}{
		{"file:" + file + "?mode=ro", "25006", contract.ReadOnly},
		{"file:" + filepath.Join(dir, "missing", "a.db"), "08001", contract.Connection},
		{"file:" + filepath.Join(dir, "missing.db") + "?mode=rw", "08001", contract.Connection},
		{dir, "08001", contract.Connection},
		{file + "?vfs=missing", "08001", contract.Connection},
		{notADatabase, "XX001", contract.Internal},
		{damaged, "XX001", contract.Internal},
	}
	for _, tt := range tests {
		_, err := open(t, tt.dsn).Exec("INSERT INTO t VALUES(2)")
		if got := contract.SQLStateOf(NewDriver(), err); got != tt.state || contract.CodeOf(NewDriver(), err) != tt.code {
			t.Errorf("%s: SQLSTATE %q, want %q: %v", tt.dsn, got, tt.state, err)
		}
	}
}

func TestErrorsOfLocks(t *testing.T) {
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "a.db")+"?_journal_mode=WAL&_timeout=1")
	mustExec(t, db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
	a, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	check := func(what string, err error, want contract.Code) {
		t.Helper()
		if got := contract.CodeOf(NewDriver(), err); got != want {
			t.Errorf("%s: code %s, want %s: %v", what, got, want, err)
		}
	}
	mustExec(t, a, "BEGIN IMMEDIATE")
	_, err = b.ExecContext(ctx, "INSERT INTO t VALUES(2)")
	check("two writers", err, contract.LockTimeout)

	mustExec(t, b, "BEGIN")
	var n int
	if err := b.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	mustExec(t, a, "INSERT INTO t VALUES(3); COMMIT")
	_, err = b.ExecContext(ctx, "INSERT INTO t VALUES(4)")
	check("a stale snapshot", err, contract.SerializationFailure)
	mustExec(t, b, "ROLLBACK")

	rows, err := a.QueryContext(ctx, "SELECT a FROM t")
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	_, err = a.ExecContext(ctx, "DROP TABLE t")
	check("dropping what is read", err, contract.LockTimeout)
	rows.Close()
}

// TestContextErrors: a context's error arrives as such and has no SQLSTATE,
// also when SQLite was interrupted in the middle.
func TestContextErrors(t *testing.T) {
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"
	// Upstream loses an interrupt that comes before the statement has begun, which
	// on a busy machine takes its time, and waits for ever then.
	const soon = 500 * time.Millisecond
	db := open(t, ":memory:")
	d := NewDriver()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	var n int
	err := db.QueryRowContext(ctx, endless).Scan(&n)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timeout: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(soon, cancel)
	_, canceled := db.ExecContext(ctx, endless)
	if !errors.Is(canceled, context.Canceled) {
		t.Errorf("cancel: %v", canceled)
	}
	_, interrupted := db.Exec("SELECT * FROM missing") // stands for what SQLite says of an interrupt
	for _, err := range []error{err, canceled, fmt.Errorf("%w: %w", canceled, interrupted)} {
		if s := contract.SQLStateOf(d, err); s != "" {
			t.Errorf("%v has the SQLSTATE %s", err, s)
		}
		if c := contract.CodeOf(d, err); c != contract.Canceled {
			t.Errorf("%v has the code %s", err, c)
		}
	}
}

func TestUnknownErrors(t *testing.T) {
	c := NewDriver().(contract.Classifier)
	for _, err := range []error{nil, errors.New("no such table: t"), os.ErrNotExist} {
		if s := c.SQLState(err); s != "" {
			t.Errorf("%v has the SQLSTATE %s", err, s)
		}
	}
}

// TestResultCodes has the codes that are hard to provoke, and codes that SQLite
// may add.
func TestResultCodes(t *testing.T) {
	tests := []struct {
		code    upstream.ErrNo
		ext     int // above the low byte
		message string
		want    contract.Code
	}{
		{0, 0, "", contract.Unknown},
		{upstream.ErrError, 0, "SQL logic error", contract.Unknown},
		{upstream.ErrInterrupt, 0, "interrupted", contract.Canceled},
		{upstream.ErrAuth, 0, "not authorized", contract.Permission},
		{upstream.ErrPerm, 0, "", contract.Permission},
		{upstream.ErrNomem, 0, "", contract.Resources},
		{upstream.ErrIoErr, 99, "", contract.Internal},
		{upstream.ErrIoErr, 12, "", contract.Resources},
		{upstream.ErrIoErr, 32, "", contract.Internal},
		{upstream.ErrIoErr, 33, "", contract.Internal},
		{upstream.ErrReadonly, 4, "", contract.ReadOnly},
		{upstream.ErrBusy, 1, "", contract.LockTimeout},
		{upstream.ErrBusy, 3, "", contract.LockTimeout},
		{upstream.ErrLocked, 0, "database table is locked: t", contract.LockTimeout},
		{upstream.ErrLocked, 0, "database table is locked: database is deadlocked", contract.Deadlock},
		{upstream.ErrLocked, 1, "", contract.LockTimeout},
		{upstream.ErrConstraint, 99, "", contract.ConstraintViolation},
		{upstream.ErrConstraint, 10, "", contract.UniqueViolation},
		{upstream.ErrCorrupt, 3, "", contract.Internal},
		{upstream.ErrCantOpen, 2, "", contract.Connection},
		{upstream.ErrAbort, 2, "", contract.TransactionState},
		{upstream.ErrError, 1, "", contract.UndefinedObject},
	}
	for _, tt := range tests {
		if got := contract.CodeOfState(stateOf(tt.code, tt.code.Extend(tt.ext), tt.message)); got != tt.want {
			t.Errorf("result code %d, %d, %q: %s, want %s", tt.code, tt.ext, tt.message, got, tt.want)
		}
	}
}
