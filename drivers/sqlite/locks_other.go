//go:build !linux

package sqlite

// ownLocks does nothing where there are no locks that belong to an open file.
func ownLocks() {}
