package loader

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
)

// fakeDriver is a driver that is part of the test program.
type fakeDriver struct {
	name string
	open func(dsn string) (driver.Connector, error)
	down func(context.Context) error
}

func (d fakeDriver) Name() string                                       { return d.name }
func (d fakeDriver) OpenConnector(dsn string) (driver.Connector, error) { return d.open(dsn) }
func (d fakeDriver) Shutdown(ctx context.Context) error {
	if d.down == nil {
		return nil
	}
	return d.down(ctx)
}

var fakeNames atomic.Int64

// register makes a driver known under a name that no other test has, in one or
// more versions.
func register(t testing.TB, newDriver func() contract.Driver, versions ...string) string {
	t.Helper()
	name := fmt.Sprintf("fake%d", fakeNames.Add(1))
	for _, version := range versions {
		registerAs(t, name, version, newDriver)
	}
	return name
}

func registerAs(t testing.TB, name, version string, newDriver func() contract.Driver, keys ...string) {
	t.Helper()
	manifest := fmt.Sprintf(`{"name": %q, "version": %q, "contract": {"name": "sql", "version": "^1.0"}%s}`, name, version, strings.Join(append([]string{""}, keys...), ", "))
	require.NoError(t, Register(name, func() contract.Driver {
		d := newDriver()
		if f, ok := d.(fakeDriver); ok {
			f.name = name
			return f
		}
		return d
	}, manifest))
	forgetAfter(t, name)
}

// forgetAfter takes a driver off after the test, as other tests list what there
// is.
func forgetAfter(t testing.TB, name string) {
	t.Cleanup(func() {
		linkedIn.Lock()
		defer linkedIn.Unlock()
		linkedIn.all = slices.DeleteFunc(linkedIn.all, func(v any) bool { return v.(*linked[contract.Driver]).manifest.Name == name })
	})
}
