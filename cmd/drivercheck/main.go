// Command drivercheck builds driver files, tells what is in them, and holds
// them to the sql contract.
package main

import (
	"os"

	"github.com/keyway-go/keyway/conformance/sqlsuite"
	"github.com/keyway-go/keyway/internal/cli"
)

func main() {
	os.Exit(cli.Main(sqlsuite.Suite()))
}
