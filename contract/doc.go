// Package contract is what a host and a driver agree on. It imports only the
// standard library, and a driver file needs nothing else of Keyway.
//
// # For the author of a driver
//
// A driver is an ordinary package with two exported names:
//
//	//go:embed driver.json
//	var DriverManifest string
//
//	func NewDriver() contract.Driver { return &myDriver{} }
//
// DriverManifest is read from the file's bytes before anything runs; see
// [Manifest] for its keys. NewDriver may also be a variable that holds such a
// function.
//
// # Order of calls
//
// A host that loads the driver file does, in this order:
//
//  1. reads DriverManifest without running the file, and refuses it there when
//     the contract or a version does not suit;
//  2. loads the file, which runs the init functions of its packages, once for
//     each process;
//  3. calls NewDriver, once for each driver that it wants. Two calls give two
//     independent drivers;
//  4. calls Name, which must equal the manifest's name;
//  5. calls the optional methods that it knows, such as SetLogger, before the
//     first OpenConnector;
//  6. calls OpenConnector any number of times, and uses the connectors as
//     [database/sql/driver] says;
//  7. when it stops using the driver, closes every *sql.DB made from it and
//     then calls Shutdown, if there is one.
//
// init functions and NewDriver do no I/O, start no goroutine, register nothing
// (no sql.Register, no flag, no HTTP handler) and leave the process as it was:
// the host may load a driver only to look at it.
//
// # Concurrency
//
// NewDriver and every method of a [Driver] and of its optional interfaces may
// be called by many goroutines at once, except that Shutdown is called after
// all other calls have begun. A driver.Connector is safe for concurrent use; a
// driver.Conn, driver.Stmt, driver.Rows or driver.Tx is used by one goroutine
// at a time, but not always by the same one.
//
// # Who owns and who closes
//
// The host owns what it gets: it closes each connection once, each statement
// before its connection (but see below), each Rows before its statement or
// connection is used again. The driver owns what it started: goroutines,
// files, sockets and memory of a connection are released by its Close, those of
// the connector by its Close if it has one, those of the process by Shutdown.
// Arguments belong to the caller and are not kept or changed after a call
// returns; byte slices that Rows.Next hands out stay intact until the next call
// of Next or Close, and database/sql may still be reading them when Close
// starts.
//
// # Closing twice, late and while calls are in flight
//
// Close and Shutdown may be called more than once; a later call returns nil or
// an error and does nothing. After Close every other method returns an error
// and never panics. database/sql closes statements after their connection or
// their transaction is gone, and closes a statement while its Rows is still
// open: none of this may crash. Shutdown waits, no longer than its context
// allows, for calls in flight; calls that begin after it return an error.
//
// # Errors
//
// Types do not travel: a host never sees a driver's concrete error types. It
// tells errors apart by method. Give errors an SQLState() string method, or let
// the driver itself implement [Classifier]; see [CodeOf]. context.Canceled,
// context.DeadlineExceeded, driver.ErrBadConn, driver.ErrSkip and io.EOF are
// values of the standard library and do travel.
//
// # For the author of a contract
//
// A contract is structural: its interfaces are aliases of interface literals
// whose signatures use only builtin types, types of the standard library and
// other literals. Two copies of such a type, in two versions of two packages,
// are one type to Go, which is what lets a driver built against one version of
// a contract load into a host built with another. [Define] checks the rule and
// names the way to whatever breaks it. A contract grows by optional
// interfaces, which either side asks for by type assertion; a required
// interface never changes within a major version.
package contract
