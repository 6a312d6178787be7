// Package mysql is Keyway's driver for MySQL and MariaDB, in pure Go on
// github.com/go-sql-driver/mysql.
//
// A host gets it from a driver file that "drivercheck build" makes of this
// package, or links it in and calls [NewDriver].
//
// # Data source names
//
// A DSN is written as upstream has it,
//
//	user:password@tcp(host:3306)/database?parameter=value
//
// or as a URL that begins with "mysql://" or "mariadb://". README.md lists the
// parameters.
//
// OpenConnector checks the whole DSN without I/O. It is stricter than upstream,
// which passes over what it does not understand: unknown, repeated and malformed
// parameters are errors, and so are names of TLS configurations and keys, which
// a program would have to register with upstream's package. A name with an
// underscore is a session variable of the server, as it is upstream.
//
// # Times
//
// Unless the DSN says otherwise, columns of dates and times are read as
// time.Time (parseTime=true, upstream reads them as text), and the session's
// time zone is UTC, which is what upstream writes times in. Without the second,
// a server in another zone would store other instants than were meant, and could
// not store those that summer time leaves out.
//
// # Registration
//
// This package registers nothing with database/sql. But upstream itself calls
// sql.Register("mysql", ...) when it is initialised. "drivercheck build" makes
// that call do nothing in a driver file. A program that links this package in
// cannot prevent it, and panics if it links in another driver of that name as
// well.
package mysql

import (
	"context"
	"database/sql/driver"
	_ "embed"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keyway-go/keyway/contract"
)

// DriverManifest is the text of driver.json. A host reads it from the driver
// file before it runs anything.
//
//go:embed driver.json
var DriverManifest string

const name = "mysql"

var (
	_ contract.Driver       = (*mysqlDriver)(nil)
	_ contract.Classifier   = (*mysqlDriver)(nil)
	_ contract.Dialect      = (*mysqlDriver)(nil)
	_ contract.DSNRedactor  = (*mysqlDriver)(nil)
	_ contract.LoggerSetter = (*mysqlDriver)(nil)
)

// NewDriver returns a driver, which is safe for concurrent use. Besides
// [contract.Driver] it implements [contract.Classifier], [contract.Dialect],
// [contract.DSNRedactor] and [contract.LoggerSetter]. It holds nothing for the
// process, so there is nothing to shut down.
func NewDriver() contract.Driver { return &mysqlDriver{openLimit: time.Minute} }

type mysqlDriver struct {
	logger    atomic.Pointer[slog.Logger] // nil: log nothing
	openLimit time.Duration               // of Open, which has no context; never changed
}

// Name returns "mysql".
func (d *mysqlDriver) Name() string { return name }

// OpenConnector checks dsn, without I/O, and returns a connector for it. A time
// zone and a collation that do not exist, and session variables that the server
// does not know, are errors of Connect.
func (d *mysqlDriver) OpenConnector(dsn string) (driver.Connector, error) {
	return newConnector(d, dsn)
}

// Open opens one connection, as driver.Driver wants it. It gives up after a
// minute: the DSN's timeout is for dialling alone.
func (d *mysqlDriver) Open(dsn string) (driver.Conn, error) {
	c, err := newConnector(d, dsn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.openLimit)
	defer cancel()
	conn, err := c.Connect(ctx)
	if err != nil && ctx.Err() != nil { // a deadline that the caller does not know of
		return nil, contract.WithSQLState(fmt.Errorf("mysql: no connection in %v", d.openLimit), connectionRefused)
	}
	return conn, err
}

// SetLogger gives the logger for what connections have to say: a lost
// connection, an authentication method that the server asks for in vain. Open
// connections use it from then on as well. Neither passwords nor statements are
// logged.
func (d *mysqlDriver) SetLogger(l *slog.Logger) { d.logger.Store(l) }

// Dialect returns "mysql".
func (d *mysqlDriver) Dialect() string { return name }

// Placeholder returns "?" for every n.
func (d *mysqlDriver) Placeholder(int) string { return "?" }

// QuoteIdentifier puts name in backticks, which work in every sql_mode.
func (d *mysqlDriver) QuoteIdentifier(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}
