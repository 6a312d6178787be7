package sqlite

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
		":memory:", ":memory:?_fk=1", "sqlite::memory:", "file::memory:", "file:x?mode=memory", "file:x?vfs=memdb",
		"file:one-shared?mode=memory&cache=shared", "file::memory:?cache=shared", "file:/one-memdb?vfs=memdb", "/two-memdb?vfs=memdb",
		"file:" + filepath.Join(t.TempDir(), "a%20b%23.db") + "?_pragma=journal_mode(WAL)&_timeout=5000",
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

// TestMemoryTimeout: only a DSN without a busy timeout gets ours.
func TestMemoryTimeout(t *testing.T) {
	for dsn, want := range map[string]int{
		":memory:":                              5000,
		":memory:?_fk=1":                        5000,
		":memory:?_timeout=7":                   7,
		":memory:?_busy_timeout=0":              0,
		":memory:?_pragma=Busy_Timeout%20=%208": 8,
	} {
		var got int
		if err := open(t, dsn).QueryRow("PRAGMA busy_timeout").Scan(&got); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", dsn, got, err, want)
		}
	}
}

// TestParametersReachSQLite: what stands in the DSN is in force on every
// connection, also where the DSN is written anew.
func TestParametersReachSQLite(t *testing.T) {
	dir := t.TempDir()
	for _, base := range []string{":memory:?", "file:/params?vfs=memdb&", dir + "/a.db?", "file:" + dir + "/a.db?mode=rwc&", "sqlite:" + dir + "/a.db?"} {
		db := open(t, base+"_pragma=foreign_keys(1)&_pragma=cache_size%3D-123&_query_only=1")
		db.SetMaxIdleConns(0)
		for range 2 {
			var fk, size, ro int
			err := db.QueryRow("SELECT f.foreign_keys, c.cache_size, q.query_only FROM pragma_foreign_keys f, pragma_cache_size c, pragma_query_only q").
				Scan(&fk, &size, &ro)
			if err != nil || fk != 1 || size != -123 || ro != 1 {
				t.Errorf("%s: foreign_keys %d, cache_size %d, query_only %d, %v", base, fk, size, ro, err)
			}
		}
	}
}

// TestFileNames: the file that comes to be has the name that the DSN says.
func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for dsn, want := range map[string]string{
		"relative.db":                            "relative.db",
		"50%#.db?_fk=1":                          "50%#.db",
		"file:a%20b%23c%3Fd.db?_fk=1":            "a b#c?d.db",
		"sqlite:scheme.db":                       "scheme.db",
		"file://" + dir + "/two.db":              "two.db",
		"sqlite://localhost" + dir + "/three.db": "three.db",
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
	connector, err := NewDriver().OpenConnector(":memory:?_pragma=foreign_keys(1)")
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
