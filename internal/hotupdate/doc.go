// Package hotupdate shows with real drivers and databases that a *sql.DB of
// package loader goes from one version of its driver to the next without a
// query that fails, and that what stands between program and driver for this
// cannot be told from the driver.
//
// This is a module of its own, since it needs the drivers.
package hotupdate
