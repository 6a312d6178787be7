// Command drivercheck builds driver files, tells what is in them, and holds
// them to the sql contract.
package main

import (
	"github.com/keyway-go/keyway/conformance/checker"
	"github.com/keyway-go/keyway/conformance/sqlsuite"
)

func main() { checker.Main(sqlsuite.Suite()) }
