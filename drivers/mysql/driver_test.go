package mysql

import (
	"database/sql"
	"encoding/json"
	"os"
	"slices"
	"strings"
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
	if m.Version != "1.0.0" || m.License == "" || m.Homepage == "" || !slices.Contains(m.Aliases, "mariadb") {
		t.Errorf("manifest: %+v", m)
	}
	for _, scheme := range m.Schemes {
		if _, err := NewDriver().OpenConnector(scheme + "://user:secret@db.example.com:3307/app"); err != nil {
			t.Errorf("the manifest claims the scheme %q: %v", scheme, err)
		}
	}
}

// TestOptionalInterfaces also names the one that must not be there: a host would
// call it for nothing.
func TestOptionalInterfaces(t *testing.T) {
	d := NewDriver()
	_, classifier := d.(contract.Classifier)
	_, dialect := d.(contract.Dialect)
	_, redactor := d.(contract.DSNRedactor)
	_, logger := d.(contract.LoggerSetter)
	_, shutdowner := d.(contract.Shutdowner)
	if !classifier || !dialect || !redactor || !logger || shutdowner {
		t.Errorf("Classifier %v, Dialect %v, DSNRedactor %v, LoggerSetter %v, Shutdowner %v",
			classifier, dialect, redactor, logger, shutdowner)
	}
	if NewDriver() == d {
		t.Error("two calls of NewDriver give one driver")
	}
}

// TestRegistersNothing: "mysql" is upstream's own, from its init function.
func TestRegistersNothing(t *testing.T) {
	if got := sql.Drivers(); !slices.Equal(got, []string{"mysql"}) {
		t.Errorf("sql.Drivers() is %v", got)
	}
}

func TestDialect(t *testing.T) {
	d := NewDriver().(contract.Dialect)
	if d.Dialect() != "mysql" || d.Placeholder(1) != "?" || d.Placeholder(2) != "?" {
		t.Errorf("%q, %q, %q", d.Dialect(), d.Placeholder(1), d.Placeholder(2))
	}
	db := open(t, server(t).DSN)
	for _, name := range []string{"a", "select", "a`b", "``", `a"b`, "a]b'c'd", "ä", "--", "%s", "a\\b", "a;b"} {
		q := d.QuoteIdentifier(name)
		mustExec(t, db, "CREATE TEMPORARY TABLE keyway_dialect("+q+" int)")
		rows, err := db.Query("SELECT * FROM keyway_dialect")
		if err != nil {
			t.Fatal(err)
		}
		if columns, err := rows.Columns(); err != nil || !slices.Equal(columns, []string{name}) {
			t.Errorf("%q became %s, which is %q: %v", name, q, columns, err)
		}
		rows.Close()
		mustExec(t, db, "DROP TABLE keyway_dialect")
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
	for _, server := range []string{"u:p@ss/word@tcp(127.0.0.1:3306)/db", "mysql://u:p@db.example.com/db"} {
		if _, err := NewDriver().OpenConnector(strings.Replace(c.DSN, "{{env:KEYWAY_MYSQL_DSN}}", server, 1)); err != nil {
			t.Error(err)
		}
	}
}
