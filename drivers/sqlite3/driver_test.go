package sqlite3

import (
	"database/sql"
	"encoding/json"
	"os"
	"slices"
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
	if m.Version != "1.0.0" || m.License == "" || m.Homepage == "" || len(m.Aliases) > 0 {
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

// TestRegistersNothing: "sqlite3" is upstream's own, from its init function.
func TestRegistersNothing(t *testing.T) {
	if got := sql.Drivers(); !slices.Equal(got, []string{"sqlite3"}) {
		t.Errorf("sql.Drivers() is %v", got)
	}
}

func TestDialect(t *testing.T) {
	d := NewDriver().(contract.Dialect)
	if d.Dialect() != "sqlite" || d.Placeholder(1) != "?" || d.Placeholder(2) != "?" {
		t.Errorf("%q, %q, %q", d.Dialect(), d.Placeholder(1), d.Placeholder(2))
	}
	db := open(t, ":memory:")
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

// TestTimes: what is written in one zone reads back as the same instant, in the
// zone that the DSN asks for.
func TestTimes(t *testing.T) {
	in := time.Date(2024, 1, 15, 14, 34, 56, 123456789, time.FixedZone("", 5*3600+45*60))
	for dsn, zone := range map[string]string{
		":memory:":                                  "+05:45",
		":memory:?_loc=UTC":                         "+00:00",
		":memory:?_loc=Asia/Kathmandu":              "+05:45",
		t.TempDir() + "/a.db?_loc=America/New_York": "-05:00",
	} {
		db := open(t, dsn)
		mustExec(t, db, "CREATE TABLE t (t TIMESTAMP, d DATE, s TEXT, b BOOLEAN)")
		mustExec(t, db, "INSERT INTO t VALUES (?1, ?1, ?1, ?2)", in, true)
		var ts, date time.Time
		var text string
		var boolean any
		if err := db.QueryRow("SELECT t, d, s, b FROM t WHERE t = ?", in).Scan(&ts, &date, &text, &boolean); err != nil {
			t.Fatal(err)
		}
		if !ts.Equal(in) || !date.Equal(in) || ts.Format("-07:00") != zone || boolean != true {
			t.Errorf("%s: %v, %v, %v", dsn, ts, date, boolean)
		}
		if want := "2024-01-15 14:34:56.123456789+05:45"; text != want {
			t.Errorf("%s: written as %q, want %q", dsn, text, want)
		}
	}
}
