// Package reference is a driver of the sql contract that obeys every rule of
// the suite, and, on demand, breaks exactly one of them.
//
// It is a database in memory, made to be read: connections of one process
// whose DSN has the same name share a store, as clients of a server would.
// Committed data is an immutable snapshot; a transaction that writes holds the
// store's only writer token, works on a snapshot of its own and publishes it
// when it commits. The language is described in lang.go. Nothing of it runs in
// the background.
package reference

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/keyway-go/keyway/contract"
)

var (
	_ contract.Driver       = (*Driver)(nil)
	_ contract.Shutdowner   = (*Driver)(nil)
	_ contract.LoggerSetter = (*Driver)(nil)
	_ contract.DSNRedactor  = (*Driver)(nil)
	_ contract.Classifier   = (*Driver)(nil)
	_ contract.Dialect      = (*Driver)(nil)
	_ driver.Driver         = (*Driver)(nil)
	_ driver.DriverContext  = (*Driver)(nil)
)

// Driver is the reference driver, or a mutant of it.
type Driver struct {
	mutant string
	calls  gate
	logger atomic.Pointer[slog.Logger]
	marks  driverMarks
}

// Option changes what New makes.
type Option func(*Driver)

// Mutant makes the driver break one rule: that of the check with this ID. It
// panics if no such mutant is declared.
func Mutant(id string) Option {
	for _, m := range Mutants() {
		if m.ID == id {
			return func(d *Driver) { d.mutant = id }
		}
	}
	panic("reference: no mutant for " + id)
}

// New returns a driver that obeys every rule.
func New(opts ...Option) *Driver {
	d := &Driver{}
	for _, o := range opts {
		o(d)
	}
	return d
}

// Name implements [contract.Driver].
func (d *Driver) Name() string { return "reference" }

// Open implements [driver.Driver].
func (d *Driver) Open(dsn string) (driver.Conn, error) {
	c, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	if d.broken("open/same-dsn-as-open") {
		c.(*connector).db = openStore(dsn)
	}
	return c.Connect(context.Background())
}

// OpenConnector implements [contract.Driver]. A DSN is "reference:" and a
// name, and may give a password: "reference:shop?password=secret".
func (d *Driver) OpenConnector(dsn string) (driver.Connector, error) {
	name, err := d.parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	if !d.calls.enter() {
		return nil, errShutdown
	}
	defer d.calls.leave()
	c := &connector{d: d, db: openStore(name)}
	return c, c.mark()
}

// parseDSN returns the name of the store. Its errors never quote the DSN.
func (d *Driver) parseDSN(dsn string) (name string, err error) {
	rest, ok := strings.CutPrefix(dsn, "reference:")
	if !ok {
		if d.broken("open/bad-dsn") {
			return dsn, nil
		}
		return "", errors.New(`reference: the DSN does not begin with "reference:"`)
	}
	name, query, _ := strings.Cut(rest, "?")
	if name == "" {
		return "", errors.New("reference: the DSN has no name")
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return "", errors.New("reference: the DSN's parameters are malformed")
	}
	for key, values := range params {
		if key != "password" || len(values) > 1 {
			return "", fmt.Errorf("reference: the DSN's parameter %q is unknown or given twice", key)
		}
	}
	return name, nil
}

// Shutdown implements [contract.Shutdowner].
func (d *Driver) Shutdown(ctx context.Context) error { return d.calls.shut(ctx) }

// SetLogger implements [contract.LoggerSetter].
func (d *Driver) SetLogger(l *slog.Logger) { d.logger.Store(l) }

var secret = regexp.MustCompile(`((?:^|[?&])password=)[^&]*`)

// RedactDSN implements [contract.DSNRedactor].
func (d *Driver) RedactDSN(dsn string) string {
	if _, err := d.parseDSN(dsn); err != nil {
		return ""
	}
	return secret.ReplaceAllString(dsn, "${1}xxxxx")
}

// SQLState implements [contract.Classifier].
func (d *Driver) SQLState(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.State
	}
	return ""
}

// Dialect implements [contract.Dialect].
func (d *Driver) Dialect() string { return "reference" }

// Placeholder implements [contract.Dialect].
func (d *Driver) Placeholder(n int) string { return "$" + strconv.Itoa(n) }

// QuoteIdentifier implements [contract.Dialect].
func (d *Driver) QuoteIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Error is an error that the database reports.
type Error struct {
	State   string // SQLSTATE
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return "reference: " + e.Message }

// SQLState returns State.
func (e *Error) SQLState() string { return e.State }

func fault(state, format string, args ...any) *Error {
	return &Error{State: state, Message: fmt.Sprintf(format, args...)}
}

var (
	errShutdown = errors.New("reference: the driver is shut down")
	errClosed   = errors.New("reference: the connection, statement or rows are closed")
	errKilled   = fault("57P01", "the connection was ended by another")
)

// gate counts calls in flight, so that Shutdown can wait for them.
type gate struct {
	mu   sync.Mutex
	busy int
	down bool
	idle chan struct{} // closed when down and no longer busy; nil before down
}

// enter begins a call; false means that there are to be no more.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		return false
	}
	g.busy++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy--; g.busy == 0 && g.down {
		close(g.idle)
	}
}

func (g *gate) shut(ctx context.Context) error {
	g.mu.Lock()
	if !g.down {
		g.down, g.idle = true, make(chan struct{})
		if g.busy == 0 {
			close(g.idle)
		}
	}
	g.mu.Unlock()
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
