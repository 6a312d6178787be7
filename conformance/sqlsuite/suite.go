package sqlsuite

import (
	"encoding/json"
	"slices"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/contract"
)

type check = conformance.Check[contract.Driver]

// families are the checks in the order in which they run and are listed: what
// later checks build on comes first.
var families = [][]check{
	openChecks,
	connectorChecks,
	connChecks,
	apiChecks,
	stmtChecks,
	rowsChecks,
	rsetChecks,
	coltypeChecks,
	argsChecks,
	valueChecks,
	resultChecks,
	txChecks,
	ctxChecks,
	pingChecks,
	resetChecks,
	validChecks,
	badconnChecks,
	concurrencyChecks,
	leakChecks,
}

// Suite returns the checks of the sql contract. The caller may change what it
// gets.
func Suite() *conformance.Suite[contract.Driver] {
	return &conformance.Suite[contract.Driver]{
		Contract: contract.SQL,
		Checks:   slices.Concat(families...),
		NeedsDSN: true,
		CheckOptions: func(raw json.RawMessage) error {
			_, err := parseOptions(raw)
			return err
		},
	}
}
