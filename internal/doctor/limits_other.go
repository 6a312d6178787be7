//go:build !linux

package doctor

// limitOf: only the limits of Linux are known.
func limitOf(resource) (soft uint64, limited bool) { return 0, false }
