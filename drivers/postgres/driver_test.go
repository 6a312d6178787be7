package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/dbserver"
)

// server returns the PostgreSQL that all tests share.
func server(t *testing.T) *dbserver.Server {
	t.Helper()
	return dbserver.Shared(t, dbserver.Postgres)
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	c, err := NewDriver().OpenConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
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

func TestManifest(t *testing.T) {
	m, err := contract.ParseManifest([]byte(DriverManifest))
	if err != nil {
		t.Fatal(err)
	}
	if d := NewDriver(); d.Name() != m.Name {
		t.Errorf("Name is %q, the manifest says %q", d.Name(), m.Name)
	}
	if m.Contract.Name != contract.SQL.Name() {
		t.Errorf("the manifest is for the contract %q", m.Contract.Name)
	}
	if m.Version != "1.0.0" || m.License == "" || m.Homepage == "" || !slices.Contains(m.Aliases, "pgx") {
		t.Errorf("manifest: %+v", m)
	}
	for _, scheme := range m.Schemes {
		if _, err := NewDriver().OpenConnector(scheme + "://localhost/db"); err != nil {
			t.Errorf("the manifest claims the scheme %q: %v", scheme, err)
		}
	}
}

// TestOptionalInterfaces also names those that must not be there: a host would
// call them for nothing.
func TestOptionalInterfaces(t *testing.T) {
	d := NewDriver()
	_, classifier := d.(contract.Classifier)
	_, dialect := d.(contract.Dialect)
	_, redactor := d.(contract.DSNRedactor)
	_, shutdowner := d.(contract.Shutdowner)
	_, logger := d.(contract.LoggerSetter)
	if !classifier || !dialect || !redactor || shutdowner || logger {
		t.Errorf("Classifier %v, Dialect %v, DSNRedactor %v, Shutdowner %v, LoggerSetter %v",
			classifier, dialect, redactor, shutdowner, logger)
	}
	if NewDriver() == d {
		t.Error("two calls of NewDriver give one driver")
	}
}

// TestRegistersNothing: these are upstream's own, from its init function.
func TestRegistersNothing(t *testing.T) {
	if got := sql.Drivers(); !slices.Equal(got, []string{"pgx", "pgx/v5"}) {
		t.Errorf("sql.Drivers() is %v", got)
	}
}

func TestDialect(t *testing.T) {
	d := NewDriver().(contract.Dialect)
	if d.Dialect() != "postgres" || d.Placeholder(1) != "$1" || d.Placeholder(12) != "$12" {
		t.Errorf("%q, %q, %q", d.Dialect(), d.Placeholder(1), d.Placeholder(12))
	}
	db := open(t, server(t).DSN)
	for _, name := range []string{"a", "A", "select", `a"b`, `""`, "a b", "a]b`c'd", "ä", "--", "%s", "$1"} {
		q := d.QuoteIdentifier(name)
		mustExec(t, db, "CREATE TABLE "+q+" (x INTEGER)")
		var got string
		if err := db.QueryRow("SELECT relname FROM pg_class WHERE relname = "+d.Placeholder(1), name).Scan(&got); err != nil {
			t.Errorf("%q became %s: %v", name, q, err)
		}
		mustExec(t, db, "DROP TABLE "+q)
	}
}

// The DSN of conformance.json comes from the environment, and a waiver leads to
// the upstream version that go.mod names.
func TestConformanceConfig(t *testing.T) {
	text, err := os.ReadFile("conformance.json")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		DSN     string
		Waivers []struct{ URL string }
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if c.DSN != "{{env:KEYWAY_POSTGRES_DSN}}" {
		t.Errorf("dsn: %q", c.DSN)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(mod), "github.com/jackc/pgx/v5 ")
	version := strings.Fields(after)[0]
	for _, w := range c.Waivers {
		if !strings.HasPrefix(w.URL, "https://github.com/jackc/pgx/blob/"+version+"/") {
			t.Errorf("%s is not for %s", w.URL, version)
		}
	}
}

// Every way to a connection works: over TCP with the password, over the socket,
// as a URL and as pairs, by the connector and by driver.Driver.
func TestConnect(t *testing.T) {
	s := server(t)
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s.Password)
	pairs := strings.NewReplacer("{port}", port(s), "{user}", s.User, "{password}", quoted, "{dir}", strings.TrimSuffix(s.Socket, "/.s.PGSQL."+port(s)))
	for name, dsn := range map[string]string{
		"URL":             s.DSN,
		"pairs":           pairs.Replace("host=127.0.0.1 port={port} user={user} password='{password}' dbname=postgres sslmode=disable"),
		"socket":          s.SocketDSN,
		"socket in a URL": pairs.Replace("postgresql://{user}@/postgres?host={dir}&port={port}"),
		"parameters":      s.DSN + "&application_name=keyway&connect_timeout=10&statement_timeout=5000&default_query_exec_mode=exec",
		"several hosts":   strings.Replace(s.DSN, "127.0.0.1", "127.0.0.1:1,127.0.0.1", 1),
	} {
		t.Run(name, func(t *testing.T) {
			var one int
			if err := open(t, dsn).QueryRow("SELECT 1").Scan(&one); err != nil || one != 1 {
				t.Errorf("got %d, %v", one, err)
			}
			c, err := NewDriver().(driver.Driver).Open(dsn)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a DSN leaves open comes from the environment, at Connect.
func TestEnvironment(t *testing.T) {
	s := server(t)
	dsn := "host=127.0.0.1 sslmode=disable user=" + s.User
	c, err := NewDriver().OpenConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer db.Close()
	t.Setenv("PGPORT", port(s))
	t.Setenv("PGDATABASE", s.Database)
	t.Setenv("PGPASSWORD", s.Password)
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
	// A fault there is an error of Connect, without the DSN.
	t.Setenv("PGPORT", "port")
	if _, err := c.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "invalid port") || strings.Contains(err.Error(), s.User) {
		t.Errorf("got %v", err)
	}
}
