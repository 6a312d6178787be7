// Package late is initialized after loader/probe, as it imports it.
package late

import (
	"example.com/fixture/probehost/early"
	_ "github.com/keyway-go/keyway/loader/probe"
)

func init() { early.Log("LATE_LOG", "late") }

// Used keeps the import.
func Used() {}
