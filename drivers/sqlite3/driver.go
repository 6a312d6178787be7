// Package sqlite3 is Keyway's driver for SQLite in C. It needs cgo: it stands
// on github.com/mattn/go-sqlite3, which holds SQLite's own source. The driver
// for SQLite without cgo is the package sqlite beside it.
//
// A host gets it from a driver file that "drivercheck build" makes of this
// package, or links it in and calls [NewDriver].
//
// # Data source names
//
// A DSN is the name of a database file, or a URI that begins with "file:" as
// SQLite understands it (https://www.sqlite.org/uri.html), each with
// parameters after a "?". "sqlite3:" is another spelling of "file:". README.md
// lists the parameters.
//
// OpenConnector checks the whole DSN without touching a file. It is stricter
// than SQLite and upstream, which ignore what they do not know: an unknown,
// repeated or malformed parameter, and a URI parameter behind a plain file
// name are errors. So are upstream's _auth parameters, which do nothing since
// SQLite has no user authentication any more.
//
// # Databases in memory
//
// SQLite gives every connection that opens ":memory:" a database of its own,
// so a pool of them would be a pool of different databases. Here all
// connections of one connector see one database and nobody else sees it. It
// lives as long as the connector, so Close, which sql.DB.Close calls, frees
// it. It knows one writer or several readers at a time, a call waits up to
// five seconds for the other side unless the DSN sets a busy timeout, and it
// holds at most 1 GiB. An empty DSN, for which SQLite makes a temporary file
// for each connection, is refused.
//
// # Registration
//
// This package registers nothing with database/sql and uses an upstream driver
// value of its own, without what others register on upstream's. But upstream
// itself calls sql.Register("sqlite3", ...) when it is initialised.
// "drivercheck build" makes that call do nothing in a driver file. A program
// that links this package in cannot prevent it, and panics if it links in
// another driver of that name as well.
package sqlite3

import (
	"database/sql/driver"
	_ "embed"
	"strings"

	"github.com/keyway-go/keyway/contract"
	upstream "github.com/mattn/go-sqlite3"
)

// DriverManifest is the text of driver.json. A host reads it from the driver
// file before it runs anything.
//
//go:embed driver.json
var DriverManifest string

const name = "sqlite3"

var (
	_ contract.Driver      = (*sqliteDriver)(nil)
	_ contract.Classifier  = (*sqliteDriver)(nil)
	_ contract.Dialect     = (*sqliteDriver)(nil)
	_ contract.DSNRedactor = (*sqliteDriver)(nil)
)

// NewDriver returns a driver, which is safe for concurrent use. Besides
// [contract.Driver] it implements [contract.Classifier], [contract.Dialect]
// and [contract.DSNRedactor]. It holds nothing for the process, so there is
// nothing to shut down, and it writes no logs.
func NewDriver() contract.Driver {
	return &sqliteDriver{upstream: &upstream.SQLiteDriver{}}
}

type sqliteDriver struct {
	upstream *upstream.SQLiteDriver // never changed, hence safe for concurrent use
}

// Name returns "sqlite3".
func (d *sqliteDriver) Name() string { return name }

// OpenConnector checks dsn, without I/O, and returns a connector for it, which
// also implements io.Closer.
func (d *sqliteDriver) OpenConnector(dsn string) (driver.Connector, error) {
	t, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return &connector{driver: d, target: t}, nil
}

// Open opens one connection, as driver.Driver wants it. A database in memory
// lives as long as that connection.
func (d *sqliteDriver) Open(dsn string) (driver.Conn, error) {
	t, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return d.open(t.dsn)
}

// open opens a connection to what upstream understands.
func (d *sqliteDriver) open(dsn string) (driver.Conn, error) {
	ownLocks()
	c, err := d.upstream.Open(dsn)
	if err != nil {
		return nil, err
	}
	return newConn(c), nil
}

// Dialect returns "sqlite".
func (d *sqliteDriver) Dialect() string { return "sqlite" }

// Placeholder returns "?" for every n.
func (d *sqliteDriver) Placeholder(int) string { return "?" }

// QuoteIdentifier puts name in double quotes. Where no such column exists,
// SQLite reads the result as a string.
func (d *sqliteDriver) QuoteIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
