package contract

import (
	"context"
	"database/sql/driver"
	"log/slog"
)

// Driver is what a driver of the sql contract must do. It is the smallest
// thing from which a host makes a *sql.DB.
type Driver = interface {
	// Name returns the name in the driver's manifest, always the same.
	Name() string

	// OpenConnector parses a DSN. It does no I/O: a wrong DSN is an error
	// here, an unreachable server is an error of Connect. Its errors do not
	// contain the DSN's secrets. See database/sql/driver.DriverContext.
	OpenConnector(dsn string) (driver.Connector, error)
}

// Shutdowner is an optional interface of a [Driver] that holds something for
// the whole process: a goroutine, a cache, a C library that was set up.
type Shutdowner = interface {
	// Shutdown releases it. The host has closed every connector before, as
	// far as it knows of them. Calls in flight are waited for until ctx ends;
	// the error is then ctx.Err(). A second call returns nil.
	Shutdown(ctx context.Context) error
}

// LoggerSetter is an optional interface of a [Driver] that writes logs.
type LoggerSetter = interface {
	// SetLogger gives the logger to use from now on, before the first
	// OpenConnector. nil means: log nothing. A driver that was given no
	// logger logs nothing either; it never writes to slog.Default.
	SetLogger(*slog.Logger)
}

// DSNRedactor is an optional interface of a [Driver] whose DSNs can hold
// secrets.
type DSNRedactor = interface {
	// RedactDSN returns dsn fit for a log: the same text with every secret
	// replaced. It accepts any string, also one that OpenConnector refuses,
	// and returns "" rather than a text of which it is not sure.
	RedactDSN(dsn string) string
}

// Classifier is an optional interface of a [Driver] whose errors do not carry
// an SQLState() string method of their own.
type Classifier = interface {
	// SQLState returns the five-character SQLSTATE (ISO/IEC 9075-2, clause
	// 24) that describes err, an error of this driver, wrapped or not. It
	// returns "" for nil and for errors that it does not know.
	SQLState(err error) string
}

// Dialect is an optional interface of a [Driver] that tells how its SQL is
// written.
type Dialect = interface {
	// Dialect returns the name of the dialect in lower case, such as
	// "sqlite", "postgres" or "mysql".
	Dialect() string

	// Placeholder returns the n-th placeholder of a statement, counted from
	// 1: "?", "$1", "@p1".
	Placeholder(n int) string

	// QuoteIdentifier returns name, which may hold any character but NUL, as
	// a quoted identifier.
	QuoteIdentifier(name string) string
}

// keywayContract is here to be read from the file of a program; see MustDefine.
var keywayContract = [2]string{"sql", "1.0.0"}

// SQL is the contract for drivers of database/sql. Its name in a manifest is
// "sql".
var SQL = MustDefine[Driver](keywayContract[0], keywayContract[1],
	Option[Shutdowner]("Shutdowner"),
	Option[LoggerSetter]("LoggerSetter"),
	Option[DSNRedactor]("DSNRedactor"),
	Option[Classifier]("Classifier"),
	Option[Dialect]("Dialect"),
)
