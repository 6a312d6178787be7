package autoload

import (
	"context"
	"database/sql/driver"
	"io"
	"sync"
)

var _ driver.DriverContext = (*onDemand)(nil)

// onDemand is what database/sql knows of a driver: it loads it when it is asked
// for anything.
type onDemand struct {
	name   string
	opened sync.Map // driver.Connector by DSN, of Open
}

// OpenConnector implements [driver.DriverContext]. sql.Open calls it.
func (d *onDemand) OpenConnector(dsn string) (driver.Connector, error) {
	c, err := drivers.Connector(context.Background(), d.name, dsn)
	if err != nil {
		return nil, err
	}
	return connector{c, d}, nil
}

// Open implements [driver.Driver], for those who take a *sql.DB's driver and
// call it themselves. A connection does not tell that it was the last one of its
// DSN, so the connector of each DSN stays until the loader is closed.
func (d *onDemand) Open(dsn string) (driver.Conn, error) {
	known, ok := d.opened.Load(dsn)
	if !ok {
		mine, err := d.OpenConnector(dsn)
		if err != nil {
			return nil, err
		}
		if known, ok = d.opened.LoadOrStore(dsn, mine); ok {
			_ = mine.(io.Closer).Close() // of no connection
		}
	}
	return known.(driver.Connector).Connect(context.Background())
}

// connector is the loader's, except that its driver is the one that was
// registered. Tracing packages take it from a *sql.DB, which they close, and
// register it again under another name: it must outlive the *sql.DB, and go with
// the current version.
type connector struct {
	driver.Connector
	of *onDemand
}

// Driver implements [driver.Connector].
func (c connector) Driver() driver.Driver { return c.of }

// Close implements io.Closer, as loader.SQL.Connector asks.
func (c connector) Close() error { return c.Connector.(io.Closer).Close() }
