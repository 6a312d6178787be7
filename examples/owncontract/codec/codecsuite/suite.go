// Package codecsuite holds drivers to the codec contract. A check is a rule, the
// place it comes from, and code that tells whether a driver keeps it.
package codecsuite

import (
	"slices"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/examples/owncontract/codec"
)

type (
	check   = conformance.Check[codec.Driver]
	subject = conformance.Subject[codec.Driver]
)

// Suite returns the checks of the codec contract. The caller may change what it
// gets.
func Suite() *conformance.Suite[codec.Driver] {
	return &conformance.Suite[codec.Driver]{
		Contract: codec.Contract,
		Checks:   slices.Concat(streamChecks, writerChecks, readerChecks, levelChecks),
	}
}

// must returns a check of a rule that binds.
func must(id, rule, source string, run func(*conformance.T, *subject)) check {
	return check{ID: id, Level: conformance.Must, Rule: rule, Source: "codec." + source, Run: run}
}
