// Package postgres is Keyway's driver for PostgreSQL. It stands on the
// database/sql part of github.com/jackc/pgx.
//
// A host gets it from a driver file that "drivercheck build" makes of this
// package, or links it in and calls [NewDriver].
//
// # Data source names
//
// A DSN is what PostgreSQL's own programs take: a URL
// (postgres://user:password@host:port/database?key=value) or key=value pairs
// (host=... user=...), see
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING.
// README.md lists the keys. OpenConnector checks the whole DSN without I/O.
//
// What a DSN leaves open is taken, when a connection is made and not before,
// from the environment (PGHOST, PGPASSWORD and so on), a service file, the
// password file ~/.pgpass, the certificates in ~/.postgresql, and the name of
// the operating system's user, as PostgreSQL's own programs do. README.md says
// how to do without.
//
// # Registration
//
// This package registers nothing with database/sql. But upstream itself calls
// sql.Register("pgx", ...) and sql.Register("pgx/v5", ...) when it is
// initialised. "drivercheck build" makes those calls do nothing in a driver
// file.
package postgres

import (
	"context"
	"database/sql/driver"
	_ "embed"
	"strconv"
	"strings"
	"time"

	"github.com/keyway-go/keyway/contract"
)

// DriverManifest is the text of driver.json. A host reads it from the driver
// file before it runs anything.
//
//go:embed driver.json
var DriverManifest string

const name = "postgres"

var (
	_ contract.Driver      = (*postgresDriver)(nil)
	_ contract.Classifier  = (*postgresDriver)(nil)
	_ contract.Dialect     = (*postgresDriver)(nil)
	_ contract.DSNRedactor = (*postgresDriver)(nil)
)

// NewDriver returns a driver, which is safe for concurrent use. Besides
// [contract.Driver] it implements [contract.Classifier], [contract.Dialect]
// and [contract.DSNRedactor]. It holds nothing for the process, so there is
// nothing to shut down, and it writes no logs: those of upstream would hold the
// arguments of statements.
func NewDriver() contract.Driver { return &postgresDriver{} }

// postgresDriver is no empty struct, of which two could have one address.
type postgresDriver struct{ _ byte }

// Name returns "postgres".
func (d *postgresDriver) Name() string { return name }

// OpenConnector checks dsn, without I/O, and returns a connector for it, which
// holds nothing that must be closed.
func (d *postgresDriver) OpenConnector(dsn string) (driver.Connector, error) {
	if _, err := parseDSN(dsn); err != nil {
		return nil, err
	}
	return &connector{driver: d, dsn: dsn}, nil
}

// Open opens one connection, as driver.Driver wants it. It gives up after a
// minute, or after the DSN's connect_timeout.
func (d *postgresDriver) Open(dsn string) (driver.Conn, error) {
	c, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	conn, err := c.Connect(ctx)
	if err != nil {
		return nil, connectError(context.Background(), err)
	}
	return conn, nil
}

// openTime is how long Open waits; shorter in tests.
var openTime = time.Minute

// Dialect returns "postgres".
func (d *postgresDriver) Dialect() string { return name }

// Placeholder returns "$1" for 1, "$2" for 2, and so on.
func (d *postgresDriver) Placeholder(n int) string { return "$" + strconv.Itoa(n) }

// QuoteIdentifier puts name in double quotes. PostgreSQL uses the first 63
// bytes of a longer name.
func (d *postgresDriver) QuoteIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
