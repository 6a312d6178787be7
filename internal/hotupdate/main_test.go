package hotupdate

import (
	"os"
	"testing"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/conformancetest"
	"github.com/keyway-go/keyway/conformance/sqlsuite"
	"github.com/keyway-go/keyway/contract"
	_ "github.com/keyway-go/keyway/loader/probe"
)

// adaptVar tells the processes of checks to go through a loader's connector.
const adaptVar = "KEYWAY_HOTUPDATE_ADAPT"

func suite() *conformance.Suite[contract.Driver] {
	s := sqlsuite.Suite()
	if os.Getenv(adaptVar) != "" {
		s.Adapt = throughLoader
	}
	return s
}

func TestMain(m *testing.M) { conformancetest.Main(m, suite()) }
