package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/dbserver"
)

func port(s *dbserver.Server) string { return strconv.Itoa(s.Port) }

// expect looks at an error bare and wrapped.
func expect(t *testing.T, what string, err error, state string, code contract.Code) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	d := NewDriver()
	for _, err := range []error{err, fmt.Errorf("wrapped: %w", err)} {
		if got := contract.SQLStateOf(d, err); got != state {
			t.Errorf("%s: SQLSTATE %q, want %q: %v", what, got, state, err)
		}
		if got := contract.CodeOf(d, err); got != code {
			t.Errorf("%s: code %s, want %s: %v", what, got, code, err)
		}
	}
}

const schema = `
DROP SCHEMA IF EXISTS keyway_errors CASCADE;
CREATE SCHEMA keyway_errors;
SET search_path = keyway_errors;
CREATE TABLE p (id INTEGER PRIMARY KEY, u TEXT UNIQUE, n TEXT NOT NULL DEFAULT '', c INTEGER CHECK (c > 0));
CREATE TABLE f (p INTEGER REFERENCES p (id));
CREATE TABLE x (a INTEGER, EXCLUDE USING btree (a WITH =));
INSERT INTO p (id, u) VALUES (1, 'one');
INSERT INTO x VALUES (1);`

// TestErrorsOfStatements provokes each error.
func TestErrorsOfStatements(t *testing.T) {
	db := open(t, server(t).DSN)
	db.SetMaxOpenConns(1)
	for stmt := range strings.SplitSeq(strings.TrimSpace(schema), "\n") {
		mustExec(t, db, stmt)
	}
	for _, tt := range []struct {
		query, state string
		code         contract.Code
	}{
		{"INSERT INTO p (id, u) VALUES (2, 'one')", "23505", contract.UniqueViolation},
		{"INSERT INTO f VALUES (99)", "23503", contract.ForeignKeyViolation},
		{"INSERT INTO p (id, n) VALUES (2, NULL)", "23502", contract.NotNullViolation},
		{"INSERT INTO p (id, c) VALUES (2, 0)", "23514", contract.CheckViolation},
		{"INSERT INTO x VALUES (1)", "23P01", contract.ConstraintViolation},
		{"INSERT INTO p (id) VALUES ('x')", "22P02", contract.InvalidData},
		{"SELECT 1 / 0", "22012", contract.InvalidData},
		{"SELEC 1", "42601", contract.Syntax},
		{"SELECT * FROM missing", "42P01", contract.UndefinedObject},
		{"SELECT missing FROM p", "42703", contract.UndefinedObject},
		{"SELECT missing()", "42883", contract.UndefinedObject},
		{"SELECT * FROM missing.p", "42P01", contract.UndefinedObject},
		{"CREATE TABLE p (id INTEGER)", "42P07", contract.DuplicateObject},
		{"CREATE TABLE y (a INTEGER, a INTEGER)", "42701", contract.DuplicateObject},
		{"SELECT 1 FROM pg_sleep(60) -- statement_timeout", "57014", contract.Canceled},
		{"DO $$ BEGIN SET TRANSACTION READ ONLY; CREATE TABLE z (); END $$", "25006", contract.ReadOnly},
		{"SAVEPOINT a", "25P01", contract.TransactionState},
		{"SELECT 'a' LIKE 'b' ESCAPE 'cc'", "22025", contract.InvalidData},
		{"DO $$ BEGIN RAISE deadlock_detected; END $$", "40P01", contract.Deadlock},
		{"DO $$ BEGIN RAISE serialization_failure; END $$", "40001", contract.SerializationFailure},
		{"DO $$ BEGIN RAISE lock_not_available; END $$", "55P03", contract.LockTimeout},
		{"DO $$ BEGIN RAISE disk_full; END $$", "53100", contract.Resources},
	} {
		if strings.Contains(tt.query, "statement_timeout") {
			mustExec(t, db, "SET statement_timeout = 50")
		}
		_, err := db.Exec(tt.query)
		expect(t, tt.query, err, tt.state, tt.code)
		mustExec(t, db, "SET statement_timeout = 0")
	}
}

// Two transactions that lock two rows in opposite order.
func TestDeadlock(t *testing.T) {
	db := open(t, server(t).DSN)
	mustExec(t, db, "CREATE TABLE keyway_deadlock (id INTEGER PRIMARY KEY, v INTEGER)")
	t.Cleanup(func() { mustExec(t, db, "DROP TABLE keyway_deadlock") })
	mustExec(t, db, "INSERT INTO keyway_deadlock VALUES (1, 0), (2, 0)")
	ends := make(chan error, 2)
	ready := make(chan bool, 2)
	both := make(chan struct{})
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		go func() {
			tx, err := db.Begin()
			if err != nil {
				ready <- false
				ends <- err
				return
			}
			defer tx.Rollback()
			const update = "UPDATE keyway_deadlock SET v = v + 1 WHERE id = $1"
			_, first := tx.Exec(update, order[0])
			ready <- first == nil
			<-both
			_, second := tx.Exec(update, order[1])
			ends <- errors.Join(first, second)
		}()
	}
	if a, b := <-ready, <-ready; !a || !b {
		t.Error("a first lock failed")
	}
	close(both)
	expect(t, "the deadlock", errors.Join(<-ends, <-ends), "40P01", contract.Deadlock)
}

func TestErrorsOfConnect(t *testing.T) {
	s := server(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := strconv.Itoa(closed.Addr().(*net.TCPAddr).Port)
	closed.Close()
	const wrong = "wr0ng-secret"
	password := func(u *url.URL) { u.User = url.UserPassword(s.User, wrong) }
	for name, c := range map[string]struct {
		change func(*url.URL)
		state  string
		code   contract.Code
	}{
		"wrong password": {password, "28P01", contract.Permission},
		"no such user":   {func(u *url.URL) { u.User = url.UserPassword("nobody", wrong) }, "28P01", contract.Permission},
		"no database":    {func(u *url.URL) { u.Path = "/missing" }, "3D000", contract.UndefinedObject},
		"nobody there":   {func(u *url.URL) { password(u); u.Host = "127.0.0.1:" + nobody }, "08001", contract.Connection},
		"no such socket": {func(u *url.URL) { password(u); u.RawQuery = "host=/nowhere"; u.Host = "" }, "08001", contract.Connection},
		"no TLS":         {func(u *url.URL) { password(u); u.RawQuery = "sslmode=require" }, "08001", contract.Connection},
		"a parameter":    {func(u *url.URL) { u.RawQuery += "&keyway_no_such_parameter=" + wrong }, "42704", contract.UndefinedObject},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(s.DSN)
			if err != nil {
				t.Fatal(err)
			}
			c.change(u)
			err = open(t, u.String()).Ping()
			expect(t, name, err, c.state, c.code)
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, wrong) || strings.Contains(text, s.Password) {
				t.Errorf("the error tells a secret: %s", text)
			}
		})
	}
}

// A context ends a call in the server, too, and its error is the context's.
func TestCancel(t *testing.T) {
	db := open(t, server(t).DSN)
	for name, end := range map[string]func() (context.Context, context.CancelFunc){
		"cancelled": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(100*time.Millisecond, cancel)
			return ctx, cancel
		},
		"deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 100*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := end()
			defer cancel()
			begin := time.Now()
			_, err := db.ExecContext(ctx, "SELECT pg_sleep(30)")
			if !errors.Is(err, ctx.Err()) || time.Since(begin) > 10*time.Second {
				t.Errorf("after %v: %v", time.Since(begin), err)
			}
			expect(t, name, err, "", contract.Canceled)
		})
	}
	for range 100 {
		var n int
		err := db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the server goes on sleeping")
}

// A connection that ends under a statement.
func TestLostConnection(t *testing.T) {
	db := open(t, server(t).DSN)
	_, err := db.Exec("SELECT pg_terminate_backend(pg_backend_pid())")
	expect(t, "killed", err, "57P01", contract.Connection)
	if err := db.Ping(); err != nil {
		t.Errorf("the pool does not recover: %v", err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var pid int
	if err := tx.QueryRow("SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, "SELECT pg_terminate_backend($1)", pid)
	_, err = tx.Exec("SELECT 1")
	expect(t, "killed from elsewhere", err, "57P01", contract.Connection)
	_, err = tx.Exec("SELECT 1")
	expect(t, "the next call", err, "08003", contract.Connection)
}

func TestTransactionStates(t *testing.T) {
	db := open(t, server(t).DSN)
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec("SELECT 1 / 0")
	expect(t, "a failure", err, "22012", contract.InvalidData)
	_, err = tx.Exec("SELECT 1")
	expect(t, "a statement after it", err, "25P02", contract.TransactionState)
	expect(t, "the commit", tx.Commit(), "25P02", contract.TransactionState)
}

// Those errors that are not made here.
func TestOtherErrors(t *testing.T) {
	d := NewDriver().(contract.Classifier)
	for err, state := range map[error]string{
		nil: "", errors.New("x"): "", io.EOF: "", sql.ErrNoRows: "", context.Canceled: "",
		driver.ErrBadConn: "08003", io.ErrUnexpectedEOF: "08006", &net.OpError{Op: "read", Err: errors.New("reset")}: "08006",
	} {
		if got := d.SQLState(err); got != state {
			t.Errorf("%v: %q, want %q", err, got, state)
		}
	}
}

// silent listens and never answers.
func silent(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// The DSN's own time is not the caller's: who gave none is not told that it has
// ended.
func TestTimeOfConnect(t *testing.T) {
	old := openTime
	openTime = 100 * time.Millisecond
	t.Cleanup(func() { openTime = old })
	d := NewDriver()
	connect := func(ctx context.Context, dsn string) error {
		c, err := d.OpenConnector(dsn)
		if err != nil {
			t.Fatal(err)
		}
		return errOf(c.Connect(ctx))
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	dsn := "postgres://u:hunter2@" + silent(t) + "/d?sslmode=disable"
	for name, c := range map[string]struct {
		err   error
		state string
		code  contract.Code
	}{
		"connect_timeout": {connect(context.Background(), dsn+"&connect_timeout=1"), "08001", contract.Connection},
		"with TLS":        {connect(context.Background(), strings.Replace(dsn, "disable", "require&connect_timeout=1", 1)), "08001", contract.Connection},
		"Open":            {errOf(d.(driver.Driver).Open(dsn)), "08001", contract.Connection},
		"the caller's":    {connect(short, dsn), "", contract.Canceled},
	} {
		expect(t, name, c.err, c.state, c.code)
		if errors.Is(c.err, context.DeadlineExceeded) != (c.code == contract.Canceled) {
			t.Errorf("%s: %v", name, c.err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", c.err, c.err, c.err), "hunter2") {
			t.Errorf("%s: the error tells the password: %v", name, c.err)
		}
	}
	// Another host had answered.
	answered := errors.Join(&pgconn.PgError{Code: "57P03"}, context.DeadlineExceeded)
	expect(t, "a host that was starting", connectError(t.Context(), answered), "57P03", contract.Connection)
}
