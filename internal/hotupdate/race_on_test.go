//go:build race

package hotupdate

import "testing"

// noFilesUnderRace skips a test in which many goroutines use a driver file: the
// race detector does not know a plugin's memory, and can end the process.
func noFilesUnderRace(t *testing.T) { t.Skip("the race detector cannot follow what driver files do") }
