package sqlite

import (
	"database/sql"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyway-go/keyway/contract"
)

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
	if m.Version != "1.0.0" || m.License == "" || m.Homepage == "" || len(m.Aliases) > 0 { // sqlite3 is another driver
		t.Errorf("manifest: %+v", m)
	}
	for _, scheme := range m.Schemes {
		if _, err := NewDriver().OpenConnector(scheme + ":///a.db"); err != nil {
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

// TestRegistersNothing: "sqlite" is upstream's own, from its init function.
func TestRegistersNothing(t *testing.T) {
	if got := sql.Drivers(); !slices.Equal(got, []string{"sqlite"}) {
		t.Errorf("sql.Drivers() is %v", got)
	}
}

func TestDialect(t *testing.T) {
	d := NewDriver().(contract.Dialect)
	if d.Dialect() != "sqlite" || d.Placeholder(1) != "?" || d.Placeholder(2) != "?" {
		t.Errorf("%q, %q, %q", d.Dialect(), d.Placeholder(1), d.Placeholder(2))
	}
	db := open(t, ":memory:?_dqs=0")
	for _, name := range []string{"a", "select", `a"b`, `""`, "a b", "a]b`c'd", "ä", "--", "%s"} {
		q := d.QuoteIdentifier(name)
		mustExec(t, db, "CREATE TABLE "+q+"(x)")
		var got string
		if err := db.QueryRow("SELECT name FROM sqlite_schema WHERE name = "+d.Placeholder(1), name).Scan(&got); err != nil {
			t.Errorf("%q became %s: %v", name, q, err)
		}
		mustExec(t, db, "DROP TABLE "+q)
	}
}

func TestConformanceConfig(t *testing.T) {
	text, err := os.ReadFile("conformance.json")
	if err != nil {
		t.Fatal(err)
	}
	var c struct{ DSN string }
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if _, err := NewDriver().OpenConnector(c.DSN); err != nil {
		t.Error(err)
	}
}

// Without a format of our own upstream writes time.Time.String.
func TestTimesReadBack(t *testing.T) {
	for dsn, want := range map[string]string{
		":memory:":                           "2024-01-15 14:34:56.123456789+05:45",
		t.TempDir() + "/plain.db":            "2024-01-15 14:34:56.123456789+05:45",
		"file:" + t.TempDir() + "/uri.db":    "2024-01-15 14:34:56.123456789+05:45",
		":memory:?_time_format=datetime":     "2024-01-15 14:34:56",
		":memory:?_time_integer_format=unix": "1705308596",
	} {
		connector, err := NewDriver().OpenConnector(dsn)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		in := time.Date(2024, 1, 15, 14, 34, 56, 123456789, time.FixedZone("", 5*3600+45*60))
		var text string
		if err := db.QueryRow("SELECT CAST(? AS TEXT)", in).Scan(&text); err != nil {
			t.Fatal(err)
		}
		if text != want {
			t.Errorf("%s: written as %q, want %q", dsn, text, want)
		}
		if strings.Contains(dsn, "_time") {
			continue
		}
		now := time.Now()
		if _, err := db.Exec("CREATE TABLE t (t TIMESTAMP)"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO t VALUES (?)", now); err != nil {
			t.Fatal(err)
		}
		var out time.Time
		if err := db.QueryRow("SELECT t FROM t WHERE t = ?", now.Round(0)).Scan(&out); err != nil || !out.Equal(now) {
			t.Errorf("%s: %v became %v, %v", dsn, now, out, err)
		}
	}
}
