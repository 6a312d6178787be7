// Package checker is the command line of drivercheck for a contract of one's
// own. The whole program is
//
//	package main
//
//	import (
//		"github.com/keyway-go/keyway/conformance/checker"
//		"example.com/codec/codecsuite"
//	)
//
//	func main() { checker.Main(codecsuite.Suite()) }
//
// It has the verbs of drivercheck (test, build, inspect, host, checks, doctor),
// under the name that the program is called as. Build it with cgo, without which
// no driver file can be loaded.
package checker

import (
	"os"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/internal/cli"
)

// Main runs the command and ends the process; it is all that main does. Before
// it nothing may be printed or started, since the process may be a worker of a
// run, or a wrapper of a build, and then does only that.
//
// Each suite is a *conformance.Suite, and each is of another contract: a driver is
// held to the one whose contract its manifest names. The exit codes are those of
// drivercheck: 0 all is well, 1 it could not do its work, 2 wrong usage (a driver
// for a contract of which there is no suite, too), 3 it found something.
func Main(suites ...conformance.AnySuite) {
	os.Exit(cli.Main(suites...))
}
