package sqlsuite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/keyway-go/keyway/conformance"
)

// connectorChecks are about driver.Connector.
var connectorChecks = []check{
	{
		ID: "connector/driver", Level: conformance.Must,
		Rule:   "Connector.Driver returns the connector's driver, never nil or one of another type, and may be called by many goroutines.",
		Source: "database/sql/driver, Connector.Driver: the underlying Driver; sql.DB.Driver",
		Run:    with(connectorDriver),
	},
	{
		ID: "connector/concurrent-connect", Level: conformance.Must,
		Rule:   "Connect may be called by many goroutines at once, and gives each a connection of its own.",
		Source: "database/sql/driver, Connector: creates Conns for use by multiple goroutines; DB.conn connects without a lock",
		Run:    with(connectorConcurrentConnect),
	},
	{
		ID: "connector/equivalent-conns", Level: conformance.Must,
		Rule:   "All connections for one DSN, of one connector or of several, see one database: what one of them creates, changes or drops, the others see.",
		Source: "database/sql/driver, Connector: creates any number of equivalent Conns: an in-memory database of each connection's own is not one",
		Run:    with(connectorEquivalentConns),
	},
	{
		ID: "connector/cancelled-connect", Level: conformance.Must,
		Rule:   "Connect returns promptly if its context has ended, and leaves nothing behind but the connection that it may return.",
		Source: "database/sql/driver, Connector.Connect: the context is for dialing purposes, see net.DialContext",
		Run:    with(connectorCancelledConnect),
	},
	{
		ID: "connector/ctx-not-retained", Level: conformance.Must,
		Rule:   "A connection works on after the context of its Connect has ended.",
		Source: "database/sql/driver, Connector.Connect: the context should not be stored or used for other purposes; snowflakedb/gosnowflake#1186",
		Run:    with(connectorCtxNotRetained),
	},
	{
		ID: "connector/never-badconn", Level: conformance.Should,
		Rule:   "Connect never returns driver.ErrBadConn: its error says why there is no connection.",
		Source: "database/sql/driver, package comment: Connector.Connect should never return ErrBadConn; DB.retry connects three times for it",
		Run:    with(connectorNeverBadConn),
	},
	{
		ID: "connector/close-releases", Level: conformance.Must, Gate: "io.Closer",
		Rule:   "When a connector is closed and its connections are too, in either order, nothing of them is left.",
		Source: "database/sql, DB.Close closes the connector, also while connections are in use",
		Run:    with(connectorCloseReleases),
	},
	{
		ID: "connector/two-independent", Level: conformance.Must,
		Rule:   "Closing one connector, once or twice, does nothing to other connectors of the driver and to their connections.",
		Source: "database/sql, OpenDB: each DB has a connector and closes it",
		Run:    with(connectorTwoIndependent),
	},
}

func connectorDriver(e *env) {
	c := e.connector()
	first := c.Driver()
	if first == nil {
		e.Fatalf("Connector.Driver: wanted a driver, found nil")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if d := c.Driver(); reflect.TypeOf(d) != reflect.TypeOf(first) {
				e.Errorf("Connector.Driver: wanted a driver each time, found a %T and then a %T", first, d)
			}
		})
	}
	wg.Wait()
}

// connectorConcurrentConnect keeps all connections open, so that one which is
// given out twice is found. The database exists before.
func connectorConcurrentConnect(e *env) {
	text := e.on(e.kv(3), SelectAll)
	ctor := e.connector()
	raw := make([]driver.Conn, 16)
	errs := make([]error, len(raw))
	var wg sync.WaitGroup
	for i := range raw {
		wg.Go(func() { raw[i], errs[i] = ctor.Connect(e.ctx()) })
	}
	wg.Wait()
	conns := make([]*conn, len(raw))
	for i := range raw {
		if errs[i] != nil || raw[i] == nil {
			e.Errorf("%d parallel calls of Connect: wanted a connection of each, found error %v", len(raw), errs[i])
			continue
		}
		conns[i] = e.wrap(raw[i])
		for j := range i {
			if same(raw[i], raw[j]) {
				e.Fatalf("%d parallel calls of Connect: wanted as many connections, found one that two calls returned", len(raw))
			}
		}
	}
	if e.Failed() {
		return
	}
	for _, c := range conns {
		wg.Go(func() {
			if rows, err := c.all(e.ctx(), text); err != nil || len(rows) != 3 {
				e.Errorf("%q on one of %d parallel connections: wanted 3 rows, found %d, error %v", text, len(conns), len(rows), err)
			}
		})
	}
	wg.Wait()
}

// same tells whether two connections are one. Those of a type that cannot be
// compared are not.
func same(a, b driver.Conn) bool {
	return reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

// connectorEquivalentConns makes each change on another connection.
func connectorEquivalentConns(e *env) {
	ctor := e.connector()
	conns := []*conn{e.connect(ctor), e.connect(ctor), e.conn()}
	table := e.name()
	steps := []struct {
		text string
		args []any
		rows int // -1 if there is no table
	}{
		{e.on(table, CreateKV), nil, 0},
		{e.on(table, InsertKV), []any{1, "one"}, 1},
		{e.on(table, InsertKV), []any{2, "two"}, 2},
		{e.on(table, DeleteKV), []any{1}, 1},
		{e.on(table, Drop), nil, -1},
	}
	query := e.on(table, SelectAll)
	for i, step := range steps {
		_, err := conns[i%len(conns)].exec(e.ctx(), step.text, step.args...)
		if err != nil {
			e.Fatalf("%q on a connection, after others had done what came before: wanted no error, found %v", step.text, err)
		}
		for n, c := range conns {
			rows, err := c.all(e.ctx(), query)
			if step.rows < 0 && err == nil {
				e.Errorf("%q on connection %d, after another did %q: wanted an error, found %d rows", query, n+1, step.text, len(rows))
			}
			if step.rows >= 0 && (err != nil || len(rows) != step.rows) {
				e.Errorf("%q on connection %d, after %q on another: wanted %d rows, found %d, error %v", query, n+1, step.text, step.rows, len(rows), err)
			}
		}
	}
}

// connectorCancelledConnect accepts a connection: one that needs no dialing may
// be there before the driver looks at the context.
func connectorCancelledConnect(e *env) {
	ctor, ctx := e.connector(), e.ended()
	round := func() {
		e.Prompt("Connect with a context that has ended", func() {
			c, err := ctor.Connect(ctx)
			switch {
			case err == nil && c == nil:
				e.Errorf("Connect with a context that has ended: wanted a connection or an error, found neither")
			case err == nil:
				e.Setup(c.Close(), "close the connection")
			}
		})
	}
	e.noLeak("goroutines and open file descriptors", resources, round)
}

// connectorCtxNotRetained gives a watcher some time to do its harm.
func connectorCtxNotRetained(e *env) {
	ctx, cancel := context.WithCancel(e.ctx())
	defer cancel()
	raw, err := e.connector().Connect(ctx)
	e.Setup(err, "connect")
	c := e.wrap(raw)
	cancel()
	for range 5 {
		rows, err := c.all(e.ctx(), e.sql(SelectOne))
		if err != nil || len(rows) != 1 {
			e.Fatalf("%q, after the context of Connect ended: wanted a row, found %d, error %v", e.sql(SelectOne), len(rows), err)
		}
		time.Sleep(time.Millisecond)
	}
}

// connectorNeverBadConn has several reasons why there is no connection; which
// of them apply depends on the driver.
func connectorNeverBadConn(e *env) {
	judge := func(why string, c driver.Conn, err error) {
		if err == nil && c != nil {
			_ = c.Close()
		} else if errors.Is(err, driver.ErrBadConn) {
			e.Errorf("Connect %s: wanted an error that is not driver.ErrBadConn, found %T: %v", why, err, err)
		}
	}
	c, err := e.connector().Connect(e.ended())
	judge("with a context that has ended", c, err)
	dsns := badDSNs
	if absent := strings.ReplaceAll(e.subject.DSN, e.TempDir(), e.TempDir()+"/no/such/directory"); absent != e.subject.DSN {
		dsns = append([]string{absent}, dsns...)
	}
	for _, dsn := range dsns {
		if ctor, err := e.driver.OpenConnector(dsn); err == nil {
			c, err := ctor.Connect(e.ctx())
			judge("with a DSN that leads nowhere", c, err)
		}
	}
	ctor := e.openConnector()
	if closer, ok := ctor.(io.Closer); ok {
		e.Setup(closer.Close(), "close the connector")
		c, err := ctor.Connect(e.ctx())
		judge("of a closed connector", c, err)
	}
}

// connectorCloseReleases closes the connector before its connection, after it,
// and without one.
func connectorCloseReleases(e *env) {
	if _, ok := e.connector().(io.Closer); !ok {
		e.Unsupported("the connector has no Close")
	}
	one := e.sql(SelectOne)
	round := func() {
		for _, order := range []string{"alone", "first", "last"} {
			ctor := e.openConnector()
			var c *conn
			if order != "alone" {
				c = e.connect(ctor)
				_, err := c.all(e.ctx(), one)
				e.Setup(err, "query")
			}
			if order == "last" {
				e.Setup(c.Close(), "close the connection")
			}
			if err := ctor.(io.Closer).Close(); err != nil {
				e.Fatalf("Connector.Close: wanted no error, found %v", err)
			}
			if order == "first" {
				if err := c.Close(); err != nil {
					e.Logf("closing the connection of a closed connector: %v", err)
				}
			}
		}
	}
	e.noLeak("goroutines and open file descriptors", resources, round)
}

func connectorTwoIndependent(e *env) {
	one := e.sql(SelectOne)
	closed, other := e.openConnector(), e.connector()
	c := e.connect(other)
	e.Setup(e.connect(closed).Close(), "close a connection")
	if closer, ok := closed.(io.Closer); ok {
		e.Setup(closer.Close(), "close the connector")
		if err := closer.Close(); err != nil {
			e.Logf("closing the connector again: %v", err)
		}
	}
	if rows, err := c.all(e.ctx(), one); err != nil || len(rows) != 1 {
		e.Errorf("%q, after another connector was closed: wanted a row, found %v, error %v", one, rows, err)
	}
	next, err := other.Connect(e.ctx())
	if err != nil {
		e.Fatalf("Connect, after another connector was closed: wanted no error, found %v", err)
	}
	if rows, err := e.wrap(next).all(e.ctx(), one); err != nil || len(rows) != 1 {
		e.Errorf("%q on a new connection, after another connector was closed: wanted a row, found %v, error %v", one, rows, err)
	}
}
