package sqlite3

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyway-go/keyway/contract"
	upstream "github.com/mattn/go-sqlite3"
)

// connectorFor closes the connector with the test.
func connectorFor(t *testing.T, dsn string) driver.Connector {
	t.Helper()
	c, err := NewDriver().OpenConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.(io.Closer).Close() })
	return c
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db := sql.OpenDB(connectorFor(t, dsn))
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// TestConnectionsSeeOneDatabase holds several connections at once, so each is
// another one, and lets all of them go in between.
func TestConnectionsSeeOneDatabase(t *testing.T) {
	for _, dsn := range []string{
		":memory:", ":memory:?_fk=1", "sqlite3::memory:", "file::memory:", "file:x?mode=memory", "file:x?vfs=memdb",
		"file:one-shared?mode=memory&cache=shared", "file::memory:?cache=shared", "file:/one-memdb?vfs=memdb", "/two-memdb?vfs=memdb",
		"file:" + filepath.Join(t.TempDir(), "a%20b%23.db") + "?_journal=WAL&_timeout=5000",
		filepath.Join(t.TempDir(), "100%#.db") + "?_timeout=5000",
	} {
		t.Run(dsn, func(t *testing.T) {
			db := open(t, dsn)
			db.SetMaxIdleConns(0)
			ctx := context.Background()
			mustExec(t, db, "CREATE TABLE t(a)")
			for i := range 5 {
				conn, err := db.Conn(ctx)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				mustExec(t, conn, "INSERT INTO t VALUES(?)", i)
			}
			var n int
			if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil || n != 5 {
				t.Errorf("%d rows, %v; want 5", n, err)
			}
		})
	}
}

// TestMemoryIsPrivate: two connectors with one DSN, of one driver, share nothing
// unless the DSN asks for it.
func TestMemoryIsPrivate(t *testing.T) {
	tests := []struct {
		dsn    string
		shared bool
	}{
		{":memory:", false},
		{"file::memory:", false},
		{"file:y?mode=memory", false},
		{"file:y?mode=memory&cache=shared", true},
		{"file:/y?vfs=memdb", true},
	}
	for _, tt := range tests {
		d := NewDriver()
		var dbs [2]*sql.DB
		for i := range dbs {
			c, err := d.OpenConnector(tt.dsn)
			if err != nil {
				t.Fatal(err)
			}
			dbs[i] = sql.OpenDB(c)
			defer dbs[i].Close()
		}
		mustExec(t, dbs[0], "CREATE TABLE t(a)")
		_, err := dbs[1].Exec("INSERT INTO t VALUES(1)")
		if (err == nil) != tt.shared {
			t.Errorf("%s: the other connector says %v, shared should be %v", tt.dsn, err, tt.shared)
		}
	}
}

// TestCloseFreesMemory opens the database under its real name after the
// connector is closed: it must be another, empty one.
func TestCloseFreesMemory(t *testing.T) {
	c := connectorFor(t, ":memory:").(*connector)
	db := sql.OpenDB(c)
	mustExec(t, db, "CREATE TABLE t(a)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if !isEmpty(t, c) {
		t.Error("the table is still there")
	}
}

func TestCloseConnector(t *testing.T) {
	for _, dsn := range []string{":memory:", filepath.Join(t.TempDir(), "a.db")} {
		c := connectorFor(t, dsn)
		conn, err := c.Connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := c.(io.Closer).Close(); err != nil {
				t.Errorf("%s: Close: %v", dsn, err)
			}
		}
		if err := conn.(driver.Pinger).Ping(context.Background()); err != nil {
			t.Errorf("%s: an open connection broke: %v", dsn, err)
		}
		conn.Close()
		if _, err := c.Connect(context.Background()); err == nil {
			t.Errorf("%s: Connect works after Close", dsn)
		}
	}
}

func TestConnectHeedsContext(t *testing.T) {
	dir := t.TempDir()
	c := connectorFor(t, filepath.Join(dir, "missing", "a.db"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Connect(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestMemoryWaitsAndGivesUp: a writer waits for a reader of a database in
// memory, no longer than its timeout, and gets an error that a host can read.
func TestMemoryWaitsAndGivesUp(t *testing.T) {
	db := open(t, ":memory:?_busy_timeout=200")
	mustExec(t, db, "CREATE TABLE t(a)")
	mustExec(t, db, "INSERT INTO t VALUES(1),(2)")
	rows, err := db.Query("SELECT a FROM t")
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	done := make(chan error, 1)
	go func() { _, err := db.Exec("INSERT INTO t VALUES(3)"); done <- err }()
	select {
	case err := <-done:
		if got := contract.CodeOf(NewDriver(), err); got != contract.LockTimeout {
			t.Errorf("code %s: %v", got, err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the writer still waits")
	}
	rows.Close()
	mustExec(t, db, "INSERT INTO t VALUES(3)")
}

// TestParametersReachSQLite: what stands in the DSN is in force on every
// connection, also where the DSN is written anew.
func TestParametersReachSQLite(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		param, pragma string
		want          any
	}{
		{"_busy_timeout=7", "busy_timeout", int64(7)},
		{"_timeout=8", "busy_timeout", int64(8)},
		{"vfs=", "busy_timeout", int64(5000)}, // which stands for none
		{"_fk=on", "foreign_keys", int64(1)},
		{"_foreign_keys=1", "foreign_keys", int64(1)},
		{"_query_only=yes", "query_only", int64(1)},
		{"_cache_size=-123", "cache_size", int64(-123)},
		{"_sync=EXTRA", "synchronous", int64(3)},
		{"_synchronous=0", "synchronous", int64(0)},
		{"vfs=", "synchronous", int64(1)},
		{"_rt=true", "recursive_triggers", int64(1)},
		{"_secure_delete=Fast", "secure_delete", int64(2)},
		{"_secure_delete=on", "secure_delete", int64(1)},
		{"_ignore_check_constraints=1", "ignore_check_constraints", int64(1)},
		{"_writable_schema=1", "writable_schema", int64(1)},
		{"_locking=exclusive", "locking_mode", "exclusive"},
	}
	for i, base := range []string{":memory:?", "file:/params?vfs=memdb&", dir + "/a.db?", "file:" + dir + "/a.db?mode=rwc&", "sqlite3:" + dir + "/a.db?"} {
		for _, tt := range tests {
			if tt.want == "exclusive" && i > 1 || tt.param == "vfs=" && i == 1 {
				continue // it would lock out the others; it is given twice
			}
			db := open(t, strings.TrimRight(strings.TrimSuffix(base+tt.param, "vfs="), "?&"))
			db.SetMaxIdleConns(0)
			for range 2 {
				var got any
				if err := db.QueryRow("PRAGMA " + tt.pragma).Scan(&got); err != nil || got != tt.want {
					t.Errorf("%s%s: %s is %v, %v; want %v", base, tt.param, tt.pragma, got, err, tt.want)
				}
			}
			db.Close()
		}
	}
}

// TestParametersOfFiles has those that show in what a database does.
func TestParametersOfFiles(t *testing.T) {
	dir := t.TempDir()
	for i, tt := range []struct {
		param, query string
		want         any
	}{
		{"_journal=truncate", "PRAGMA journal_mode", "truncate"},
		{"_journal_mode=WAL", "PRAGMA journal_mode", "wal"},
		{"_vacuum=incremental", "PRAGMA auto_vacuum", int64(2)},
		{"_cslike=1", "SELECT 'a' LIKE 'A'", int64(0)},
		{"_case_sensitive_like=off", "SELECT 'a' LIKE 'A'", int64(1)},
		{"_stmt_cache_size=10", "SELECT 1", int64(1)},
		{"_mutex=no", "SELECT 1", int64(1)},
	} {
		var got any
		db := open(t, fmt.Sprintf("%s/%d.db?%s", dir, i, tt.param))
		for range 2 {
			if err := db.QueryRow(tt.query).Scan(&got); err != nil || got != tt.want {
				t.Errorf("%s: %s is %v, %v; want %v", tt.param, tt.query, got, err, tt.want)
			}
		}
	}
}

// TestTxLock: a transaction that begins immediately has the lock at once.
func TestTxLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	mustExec(t, open(t, file), "CREATE TABLE t(a)")
	for lock, free := range map[string]bool{"immediate": false, "EXCLUSIVE": false, "deferred": true} {
		tx, err := open(t, file+"?_txlock="+lock).Begin()
		if err != nil {
			t.Fatal(err)
		}
		_, err = open(t, file+"?_timeout=1").Exec("INSERT INTO t VALUES(1)")
		if (err == nil) != free {
			t.Errorf("%s: another connection's write: %v", lock, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// TestDeferFKDoesNothing is why the parameter is refused.
func TestDeferFKDoesNothing(t *testing.T) {
	conn, err := (&upstream.SQLiteDriver{}).Open(":memory:?_fk=1&_defer_fk=1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rows, err := conn.(driver.QueryerContext).QueryContext(context.Background(), "PRAGMA defer_foreign_keys", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	got := make([]driver.Value, 1)
	if err := rows.Next(got); err != nil || got[0] != int64(0) {
		t.Errorf("upstream's _defer_fk has an effect: %v, %v", got, err)
	}
}

// TestFileNames: the file that comes to be has the name that the DSN says.
func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for dsn, want := range map[string]string{
		"relative.db":                             "relative.db",
		"50%#.db?_fk=1":                           "50%#.db",
		"file:a%20b%23c%3Fd.db?_fk=1":             "a b#c?d.db",
		"sqlite3:scheme.db":                       "scheme.db",
		"file://" + dir + "/two.db":               "two.db",
		"sqlite3://localhost" + dir + "/three.db": "three.db",
	} {
		mustExec(t, open(t, dsn), "CREATE TABLE t(a)")
		if _, err := os.Stat(want); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	d := NewDriver()
	file := filepath.Join(t.TempDir(), "a.db") + "?_timeout=10000"
	shared, err := d.OpenConnector(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer shared.(io.Closer).Close()
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			<-start
			own, err := d.OpenConnector([]string{":memory:", file}[i%2])
			if err != nil {
				t.Error(err)
				return
			}
			defer own.(io.Closer).Close()
			for _, c := range []driver.Connector{shared, own} {
				conn, err := c.Connect(context.Background())
				if err != nil {
					t.Error(err)
					continue
				}
				if err := conn.(driver.Pinger).Ping(context.Background()); err != nil {
					t.Error(err)
				}
				conn.Close()
			}
			d.(contract.DSNRedactor).RedactDSN(file)
			d.(contract.Classifier).SQLState(err)
		})
	}
	close(start)
	wg.Wait()
}

// TestConcurrentFirstConnect: of many first calls one opens the anchor. A second
// anchor would outlive the connector, and the database with it.
func TestConcurrentFirstConnect(t *testing.T) {
	for range 50 {
		c := connectorFor(t, ":memory:").(*connector)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				<-start
				conn, err := c.Connect(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				query := "CREATE TABLE IF NOT EXISTS t(a)"
				if _, err := conn.(driver.ExecerContext).ExecContext(context.Background(), query, nil); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if !isEmpty(t, c) {
			t.Fatal("the database outlives its connector")
		}
	}
}

// isEmpty opens the database under its real name.
func isEmpty(t *testing.T, c *connector) bool {
	t.Helper()
	conn, err := c.driver.upstream.Open(c.target.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = conn.(driver.ExecerContext).ExecContext(context.Background(), "INSERT INTO t VALUES(1)", nil)
	return err != nil
}

func TestDriverOfConnector(t *testing.T) {
	c := connectorFor(t, ":memory:")
	if _, ok := c.Driver().(driver.DriverContext); !ok {
		t.Error("Driver has no OpenConnector")
	}
	conn, err := c.Driver().Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(driver.Pinger).Ping(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := c.Driver().Open(""); err == nil || !strings.Contains(err.Error(), "wrong DSN") {
		t.Errorf("Open checks nothing: %v", err)
	}
}

func ExampleNewDriver() {
	connector, err := NewDriver().OpenConnector(":memory:?_foreign_keys=1")
	if err != nil {
		fmt.Println(err)
		return
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var sum int
	if err := db.QueryRow("SELECT 1 + ?", 41).Scan(&sum); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum)
	// Output: 42
}
