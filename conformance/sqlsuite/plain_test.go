package sqlsuite_test

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/sqlsuite/internal/reference"
)

// plainDriver is the reference without the interfaces that are optional: no
// call of it knows a context, and only queries need no prepared statement.
type plainDriver struct{ *reference.Driver }

func (d plainDriver) OpenConnector(dsn string) (driver.Connector, error) {
	c, err := d.Driver.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return plainConnector{c, d}, nil
}

type plainConnector struct {
	full driver.Connector
	d    plainDriver
}

func (c plainConnector) Driver() driver.Driver { return c.d }

func (c plainConnector) Connect(ctx context.Context) (driver.Conn, error) {
	full, err := c.full.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &plainConn{full}, nil
}

type plainConn struct{ driver.Conn }

func (c *plainConn) Prepare(text string) (driver.Stmt, error) {
	full, err := c.Conn.Prepare(text)
	if err != nil {
		return nil, err
	}
	return &plainStmt{full}, nil
}

// Query makes it a driver.Queryer.
func (c *plainConn) Query(text string, args []driver.Value) (driver.Rows, error) {
	named := make([]driver.NamedValue, len(args))
	for i, v := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return c.Conn.(driver.QueryerContext).QueryContext(context.Background(), text, named)
}

type plainStmt struct{ driver.Stmt }

// What is optional may be missing: no check fails for it.
func TestPlainDriverFailsNoCheck(t *testing.T) {
	for id, o := range runSuite(t, plain, patienceForPass()) {
		assert.Contains(t, []conformance.Status{conformance.Pass, conformance.Unsupported}, o.Status, "%s: %q", id, o.Messages)
	}
}
