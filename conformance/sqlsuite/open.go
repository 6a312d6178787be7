package sqlsuite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/contract"
)

// openChecks are about the driver and its OpenConnector.
var openChecks = []check{
	{
		ID: "open/bad-dsn", Level: conformance.Must,
		Rule:   "A malformed DSN is an error of OpenConnector, or at the latest of Connect, and never a panic or a connection.",
		Source: "database/sql/driver, DriverContext.OpenConnector: must parse the name",
		Run:    with(openBadDSN),
	},
	{
		ID: "open/no-io", Level: conformance.Should,
		Rule:   "OpenConnector parses the DSN and does no more: it opens no file and no socket.",
		Source: "contract, Driver.OpenConnector; database/sql, Open: may just validate its arguments without creating a connection",
		Run:    with(openNoIO),
	},
	{
		ID: "open/same-dsn-as-open", Level: conformance.Must,
		Rule:   "Connector.Driver().Open takes the same DSNs as OpenConnector, and opens the same database.",
		Source: "database/sql/driver, DriverContext: OpenConnector must parse the name in the same format that Driver.Open parses it",
		Run:    with(openSameDSN),
	},
}

// badDSNs are no DSNs in any syntax: a byte that no file name, URL or
// key-value list can hold, and a scheme that nobody has.
var badDSNs = []string{"\x00", "keyway-no-such-scheme://\x00:%zz@[::1/%zz?%zz=%zz\x00"}

func openBadDSN(e *env) {
	for _, dsn := range badDSNs {
		if err := openOnce(e, e.driver, dsn); err == nil {
			e.Errorf("DSN %q: wanted an error, found a connection", dsn)
		}
	}
}

// openOnce opens and closes a connection, and turns a panic into a failure.
func openOnce(e *env, d contract.Driver, dsn string) error {
	return e.survives(fmt.Sprintf("opening %q", dsn), func() error {
		ctor, err := d.OpenConnector(dsn)
		if err != nil {
			return err
		}
		c, err := ctor.Connect(e.ctx())
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// openNoIO sees what is still there after the call: descriptors, and files in
// the check's own directory, where the DSN usually points.
func openNoIO(e *env) {
	before := e.calm(e.descriptors)
	var ctors []driver.Connector
	for range steady {
		ctors = append(ctors, e.openConnector())
	}
	if after := e.descriptors(); after > before+steady/4 {
		e.Errorf("%d open file descriptors before and %d after %d calls of OpenConnector", before, after, steady)
	}
	entries, err := os.ReadDir(e.TempDir())
	e.Setup(err, "read the directory of the check")
	for _, entry := range entries {
		e.Errorf("OpenConnector made the file %q", entry.Name())
	}
	for _, c := range ctors {
		if closer, ok := c.(io.Closer); ok {
			e.Setup(closer.Close(), "close a connector")
		}
	}
}

func openSameDSN(e *env) {
	table := e.kv(1)
	d := e.connector().Driver()
	if d == nil {
		e.Setup(errors.New("Connector.Driver returned nil"), "get the driver")
	}
	raw, err := d.Open(e.subject.DSN)
	if err != nil {
		e.Fatalf("Driver.Open with the DSN that OpenConnector takes: wanted no error, found %v", err)
	}
	text := e.on(table, SelectKV)
	rows, err := e.wrap(raw).all(e.ctx(), text, 1)
	if err != nil || len(rows) != 1 {
		e.Errorf("%q on a connection of Driver.Open, for a row that a connector's connection stored: wanted it, found %v, error %v", text, rows, err)
	}
	for _, dsn := range badDSNs {
		err := e.survives("Driver.Open with a malformed DSN", func() error {
			c, err := d.Open(dsn)
			if err == nil {
				_ = c.Close()
			}
			return err
		})
		if other := openOnce(e, e.driver, dsn); (err == nil) != (other == nil) {
			e.Errorf("DSN %q: Driver.Open returned error %v, OpenConnector and Connect error %v: wanted both to take it or both to refuse it", dsn, err, other)
		}
	}
}
