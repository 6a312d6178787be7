// Package sqlsuite holds the checks of the sql contract: what database/sql and
// its users may expect of a driver, and what they do expect without its being
// written anywhere.
//
// The checks of a family are in a file of that name. Most work on the driver's
// own driver.Conn, driver.Stmt and driver.Rows, calling them as database/sql
// would, so that nothing of database/sql can hide a fault; where database/sql
// itself makes the rule, the check goes through a *sql.DB.
//
// # DSN
//
// The suite needs a DSN that names a database which all connections share and
// which may be written to. A DSN whose every connection gets a database of its
// own, such as ":memory:" in SQLite, will not do. Several checks use it at once,
// each with tables of its own, which it drops.
//
// # Dialect
//
// The checks ask for statements by [Query]. The text comes from a preset for
// the database, which the driver names by its Dialect method or the user by an
// option, and from the user's own overrides:
//
//	{"dialect": "sqlite", "queries": {"slow-query": "..."}}
//
// An override that is empty says that the database has nothing of the kind;
// the checks that need it are then unsupported.
//
// # Trust
//
// The suite is tested itself: the driver in internal/reference passes every
// check, and for every check there is a mutant of that driver with one fault,
// which fails that check and no other.
package sqlsuite
