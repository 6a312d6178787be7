package sqlite

import (
	"database/sql"
	"encoding/json"
	"os"
	"slices"
	"testing"

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
	if m.Version != "1.0.0" || m.License == "" || m.Homepage == "" || !slices.Contains(m.Aliases, "sqlite3") {
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
