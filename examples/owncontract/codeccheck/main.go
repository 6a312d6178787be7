// Command codeccheck is drivercheck for the codec contract:
//
//	codeccheck test ./examples/owncontract/drivers/zstd
package main

import (
	"github.com/keyway-go/keyway/conformance/checker"
	"github.com/keyway-go/keyway/examples/owncontract/codec/codecsuite"
)

func main() { checker.Main(codecsuite.Suite()) }
