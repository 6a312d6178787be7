package sqlsuite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/contract"
)

// env is what a check works with: the reporting methods of T, and the driver
// with its dialect.
//
// Its methods end the check as a suite error when what they do does not work:
// that is not what the check tests. What the check does test, it calls on the
// values of raw.go or of database/sql, which return the error. As with T, only
// the check's own goroutine may call them.
type env struct {
	*conformance.T
	subject  *conformance.Subject[contract.Driver]
	driver   contract.Driver
	dialect  *dialect
	observer *sql.DB     // opened by the first call of look
	hung     atomic.Bool // Prompt has given up a call
}

// with makes the code of a check.
func with(f func(e *env)) func(*conformance.T, *conformance.Subject[contract.Driver]) {
	return func(t *conformance.T, s *conformance.Subject[contract.Driver]) {
		e := &env{T: t, subject: s, driver: s.New()}
		if e.driver == nil {
			t.Fatalf("NewDriver returned nil")
		}
		o, err := parseOptions(s.Options)
		t.Setup(err, "read the options")
		e.dialect, err = newDialect(o, e.driver)
		t.Setup(err, "choose a dialect")
		f(e)
	}
}

// ctx ends with the check.
func (e *env) ctx() context.Context { return e.Context() }

// cancellable is a context of the check's that the caller ends.
func (e *env) cancellable() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(e.Context())
	e.Cleanup(cancel)
	return ctx, cancel
}

// sql returns the text of a query; pairs are names of {{words}} and values.
// The check is unsupported if the dialect lacks the query.
func (e *env) sql(q Query, pairs ...string) string {
	text, ok, err := e.dialect.text(q, pairs...)
	e.Setup(err, "write a query")
	if !ok {
		e.Unsupported("the dialect %s has no query %q", e.dialect.name, q)
	}
	return text
}

// on returns the text of a query on a table.
func (e *env) on(table string, q Query) string { return e.sql(q, "table", table) }

// rows returns the text of a query that gives n rows.
func (e *env) rows(n int, q Query) string { return e.sql(q, "n", strconv.Itoa(n)) }

// has tells whether the dialect has a query.
func (e *env) has(q Query) bool {
	_, ok := e.dialect.queries[q]
	return ok && (e.dialect.queries[q] != "" || q == Empty || q == EnableDeferred)
}

// connector opens a connector for the DSN, and closes it after the check.
func (e *env) connector() driver.Connector {
	c := e.openConnector()
	if closer, ok := c.(io.Closer); ok {
		e.Cleanup(func() { e.release("Connector.Close", closer.Close) })
	}
	return c
}

// openConnector opens a connector that the caller closes.
func (e *env) openConnector() driver.Connector {
	c, err := e.driver.OpenConnector(e.subject.DSN)
	e.Setup(err, "open a connector")
	if c == nil {
		e.Fatalf("OpenConnector returned neither a connector nor an error")
	}
	return c
}

// openDB opens a *sql.DB that the caller closes.
func (e *env) openDB() *sql.DB { return sql.OpenDB(e.openConnector()) }

// conn opens a connection, on a connector of its own, and closes it after the
// check.
func (e *env) conn() *conn { return e.connect(e.connector()) }

// connect opens a connection, and closes it after the check.
func (e *env) connect(c driver.Connector) *conn {
	raw, err := c.Connect(e.ctx())
	e.Setup(err, "connect")
	if raw == nil {
		e.Fatalf("Connect returned neither a connection nor an error")
	}
	return e.wrap(raw)
}

// wrap gives a connection the methods of conn, and closes it after the check.
func (e *env) wrap(raw driver.Conn) *conn {
	wrapped := &conn{Conn: raw, e: e}
	e.Cleanup(func() {
		if !wrapped.closed.Load() {
			e.release("Conn.Close", wrapped.Close)
		}
	})
	return wrapped
}

// db opens a *sql.DB with at most max connections, and closes it after the
// check; 0 means that there is no limit.
func (e *env) db(max int) *sql.DB {
	db := sql.OpenDB(e.connector())
	db.SetMaxOpenConns(max)
	e.Cleanup(func() { e.release("DB.Close", db.Close) })
	return db
}

// Prompt is T.Prompt. A call that it has given up may use its connection still,
// so that then nothing is closed after the check.
func (e *env) Prompt(what string, f func()) {
	var returned atomic.Bool
	defer func() {
		if !returned.Load() {
			e.hung.Store(true)
		}
	}()
	e.T.Prompt(what, func() {
		defer returned.Store(true)
		f()
	})
}

// release closes something after the check, without waiting for ever: a check
// that failed may have left a call in flight.
func (e *env) release(what string, closeIt func() error) {
	if e.hung.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.Patience())
	defer cancel()
	go func() {
		defer cancel()
		if err := closeIt(); err != nil {
			e.Logf("%s after the check: %v", what, err)
		}
	}()
	<-ctx.Done()
}

// name returns a name for a table that no other check uses.
func (e *env) name() string { return "keyway_" + strings.ToLower(rand.Text()[:12]) }

// table makes a table by a query such as CreateKV and returns its name. It is
// dropped after the check.
func (e *env) table(create Query) string {
	table := e.name()
	e.do(e.on(table, create))
	drop := e.on(table, Drop)
	e.Cleanup(func() {
		e.release("dropping the table", func() error {
			_, err := e.look().ExecContext(context.WithoutCancel(e.ctx()), drop)
			return err
		})
	})
	return table
}

// kv makes a kv table with the rows 1 to n, whose v is "row-1" and so on.
func (e *env) kv(n int) string {
	table := e.table(CreateKV)
	for i := range n {
		e.do(e.on(table, InsertKV), i+1, fmt.Sprintf("row-%d", i+1))
	}
	return table
}

// look returns a database handle with a single connection of its own, for
// preparing what a check needs and for looking at what is committed.
func (e *env) look() *sql.DB {
	if e.observer == nil {
		e.observer = e.db(1)
	}
	return e.observer
}

// do executes a statement that the check needs, on the connection of look.
func (e *env) do(text string, args ...any) {
	_, err := e.look().ExecContext(e.ctx(), text, args...)
	e.Setup(err, "execute %q", text)
}

// count returns the number of committed rows of a kv table.
func (e *env) count(table string) int64 { return e.number(e.on(table, CountKV)) }

// number returns the single number that a query gives on the connection of
// look.
func (e *env) number(text string, args ...any) int64 {
	var n int64
	e.Setup(e.look().QueryRowContext(e.ctx(), text, args...).Scan(&n), "query %q", text)
	return n
}

// stored returns v of a committed row of a kv table; ok is false if there is
// no such row.
func (e *env) stored(table string, id int) (v sql.NullString, ok bool) {
	text := e.on(table, SelectKV)
	var found int64
	err := e.look().QueryRowContext(e.ctx(), text, id).Scan(&found, &v)
	if err == sql.ErrNoRows {
		return v, false
	}
	e.Setup(err, "query %q", text)
	return v, true
}
