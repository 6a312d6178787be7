//go:build !linux || !cgo || libsqlite3

package sqlite3

// ownLocks does nothing where there are no locks that belong to an open file.
// Nor does it for a shared library: that is one copy, however many drivers use
// it.
func ownLocks() {}
