package sqlsuite

import (
	"database/sql/driver"

	"github.com/keyway-go/keyway/conformance"
)

// validChecks are about driver.Validator.
var validChecks = []check{
	{
		ID: "valid/true-after-sql-error", Level: conformance.Should, Gate: "Validator",
		Rule:   "IsValid stays true after a statement that the database refused.",
		Source: "database/sql/driver, Validator: false discards the connection; an SQL error says nothing against it",
		Run:    with(validTrueAfterSQLError),
	},
}

func validTrueAfterSQLError(e *env) {
	table := e.kv(1)
	c := e.conn()
	v, ok := c.Conn.(driver.Validator)
	if !ok {
		e.Unsupported("the connection has no IsValid")
	}
	if !v.IsValid() {
		e.Errorf("IsValid of a new connection: wanted true, found false")
	}
	for _, w := range c.ways() {
		for _, bad := range e.badStatements(table) {
			_, err := w.exec(e.ctx(), bad.text, bad.args...)
			if !v.IsValid() {
				e.Errorf("IsValid after %s %q returned %v: wanted true, found false", w.name, bad.text, err)
			}
		}
	}
}
