package hotupdate

import (
	"context"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/dbserver"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// followed is a driver whose connectors are those of a loader, which follow its
// current version. What is optional of a driver is the driver's own.
type followed struct {
	contract.Driver
	contract.Classifier
	dialect
	contract.DSNRedactor
	drivers *loader.SQL
	version string
}

// dialect is a name that does not hide the method.
type dialect = contract.Dialect

func (f *followed) OpenConnector(dsn string) (driver.Connector, error) {
	return f.drivers.Connector(context.Background(), f.Name(), dsn)
}

var adaptations atomic.Int64

// throughLoader puts a loader between the checks and a driver: each driver that
// they make is a version of its own of a driver in the program.
func throughLoader(newDriver func() contract.Driver) func() contract.Driver {
	return func() contract.Driver {
		d := newDriver()
		f := &followed{Driver: d, Classifier: d.(contract.Classifier), dialect: d.(contract.Dialect), DSNRedactor: d.(contract.DSNRedactor)}
		if _, more := d.(contract.Shutdowner); more {
			panic("the driver has an optional interface that followed hides")
		}
		if _, more := d.(contract.LoggerSetter); more {
			panic("the driver has an optional interface that followed hides")
		}
		f.version = fmt.Sprintf("1.%d.0", adaptations.Add(1))
		manifest := fmt.Sprintf(`{"name":%q,"version":%q,"contract":{"name":"sql","version":"^1.0"}}`, d.Name(), f.version)
		err := loader.Register(d.Name(), func() contract.Driver { return d }, manifest)
		if err == nil {
			f.drivers, err = loader.New(loader.Config{Versions: map[string]string{d.Name(): "=" + f.version}})
		}
		if err != nil {
			panic(err)
		}
		return f
	}
}

// alwaysThere are the optional interfaces of which a check sees that they are
// there in any case. database/sql does not: what the driver lacks they answer as
// database/sql does without it.
var alwaysThere = []string{"NamedValueChecker", "Validator", "io.Closer"}

// TestTransparent holds drivers to the suite as they are, and through the
// connections that follow the current version: each check must end in the same
// way.
func TestTransparent(t *testing.T) {
	noFilesUnderRace(t)
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			config, err := conformance.ReadConfig(filepath.Join("..", "..", "drivers", name, "conformance.json"))
			require.NoError(t, err)
			if name == "postgres" {
				t.Setenv("KEYWAY_POSTGRES_DSN", dbserver.Shared(t, dbserver.Postgres).DSN)
			}
			o := conformance.Options{File: fixture.FirstParty(t, name), Config: config, Parallel: 4} // many wait most of the time
			plain, err := conformance.Run(t.Context(), suite(), o)
			require.NoError(t, err)
			t.Setenv(adaptVar, "1")
			through, err := conformance.Run(t.Context(), suite(), o)
			require.NoError(t, err)
			require.True(t, plain.OK(), "%v %v", plain.Summary, plain.Problems)
			require.Equal(t, len(plain.Checks), len(through.Checks))
			for i, want := range plain.Checks {
				got := through.Checks[i]
				if want.Status == conformance.Unsupported && got.Status == conformance.Pass && slices.Contains(alwaysThere, want.Gate) {
					continue
				}
				assert.Equal(t, want.Status, got.Status, "%s: %s\nthrough the loader: %s", want.ID, want.Message, got.Message)
			}
		})
	}
}
