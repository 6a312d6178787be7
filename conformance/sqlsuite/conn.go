package sqlsuite

import (
	"database/sql/driver"
	"fmt"

	"github.com/keyway-go/keyway/conformance"
)

// connChecks are about driver.Conn.
var connChecks = []check{
	{
		ID: "conn/usable-after-sql-error", Level: conformance.Must,
		Rule:   "A connection on which a statement failed is good for the next statement.",
		Source: "database/sql puts a connection back into the pool unless the error is driver.ErrBadConn",
		Run:    with(connUsableAfterSQLError),
	},
	{
		ID: "conn/close-frees", Level: conformance.Must,
		Rule:   "Conn.Close frees the connection's files and sockets, also after statements failed.",
		Source: "database/sql/driver, Conn.Close: the connection is no longer in use; the pool opens and closes connections all the time",
		Run:    with(connCloseFrees),
	},
	{
		ID: "conn/close-with-open-children", Level: conformance.Must,
		Rule:   "Conn.Close invalidates statements and a transaction that are open: calls on them return an error. Reading on in open rows, and closing rows and statements, does no harm.",
		Source: "database/sql/driver, Conn.Close: invalidates any current prepared statements and transactions; database/sql closes the statements of a sql.Conn after the connection, if that was lost",
		Run:    with(connCloseWithOpenChildren),
	},
	{
		ID: "conn/close-twice", Level: conformance.Should,
		Rule:   "A second Conn.Close does nothing; it may return an error.",
		Source: "contract, package comment: Close may be called more than once",
		Run:    with(connCloseTwice),
	},
	{
		ID: "conn/use-after-close", Level: conformance.Should,
		Rule:   "After Conn.Close the connection's methods return an error and never panic.",
		Source: "contract, package comment: after Close every other method returns an error",
		Run:    with(connUseAfterClose),
	},
}

// badStatement fails for what it says, and does nothing.
type badStatement struct {
	text string
	args []any
}

// badStatements are for a kv table that has a row 1; those for a particular
// table have arguments.
func (e *env) badStatements(table string) []badStatement {
	return []badStatement{
		{e.sql(BadSyntax), nil},
		{e.on(e.name(), SelectAll), nil},
		{e.on(table, InsertKV), []any{1, "again"}},
	}
}

// survives calls f, and turns a panic into an error that is reported.
func (e *env) survives(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			e.Errorf("%s: wanted no panic, found %v", what, v)
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return f()
}

func connUsableAfterSQLError(e *env) {
	table := e.kv(1)
	c := e.conn()
	one := e.sql(SelectOne)
	for _, w := range c.ways() {
		for _, bad := range e.badStatements(table) {
			if _, err := w.exec(e.ctx(), bad.text, bad.args...); err == nil {
				e.Errorf("%s, %q: wanted an error, found none", w.name, bad.text)
			}
			rows, err := c.all(e.ctx(), one)
			if err != nil || len(rows) != 1 {
				e.Errorf("%q after %s %q failed: wanted one row, found %v, error %v", one, w.name, bad.text, rows, err)
			}
		}
	}
}

// connCloseFrees uses one connector, so that nothing else is closed.
func connCloseFrees(e *env) {
	table := e.kv(1)
	ctor := e.connector()
	e.noLeak("open file descriptors", e.descriptors, func() {
		c := e.connect(ctor)
		_, err := c.all(e.ctx(), e.on(table, SelectAll))
		e.Setup(err, "query")
		for _, w := range c.ways() {
			for _, bad := range e.badStatements(table) {
				if _, err := w.exec(e.ctx(), bad.text, bad.args...); err == nil {
					e.Fatalf("%q: wanted an error, found none", bad.text)
				}
			}
		}
		if err := c.Close(); err != nil {
			e.Fatalf("Conn.Close: wanted no error, found %v", err)
		}
	})
}

func connCloseWithOpenChildren(e *env) {
	table := e.kv(0)
	insert := e.on(table, InsertKV)
	c := e.conn()
	tx := c.began(driver.TxOptions{})
	st, err := c.prepare(e.ctx(), insert)
	e.Setup(err, "prepare %q", insert)
	_, err = st.exec(e.ctx(), 1, "in time")
	e.Setup(err, "execute %q", insert)
	cur, err := c.query(e.ctx(), e.rows(500, Series))
	e.Setup(err, "query")
	_, err = cur.next()
	e.Setup(err, "read a row")

	if err := e.survives("Conn.Close with everything open", c.Close); err != nil {
		e.Logf("Conn.Close with everything open: %v", err)
	}
	_ = e.survives("Rows.Next after Conn.Close", func() error { _, err := cur.next(); return err })
	if err := e.survives("executing a statement after Conn.Close", func() error {
		_, err := st.exec(e.ctx(), 2, "late")
		return err
	}); err == nil {
		e.Errorf("executing a prepared %q after Conn.Close: wanted an error, found none", insert)
	}
	if err := e.survives("Tx.Commit after Conn.Close", tx.Commit); err == nil {
		e.Errorf("Tx.Commit after Conn.Close: wanted an error, found none")
	}
	for what, closeIt := range map[string]func() error{"Rows.Close": cur.Close, "Stmt.Close": st.Close} {
		if err := e.survives(what+" after Conn.Close", closeIt); err != nil {
			e.Logf("%s after Conn.Close: %v", what, err)
		}
	}
}

// connCloseTwice has some use of the connection before, so that there is
// something to free twice.
func connCloseTwice(e *env) {
	c := e.conn()
	_, err := c.all(e.ctx(), e.sql(SelectOne))
	e.Setup(err, "query")
	for _, call := range []string{"the first Conn.Close", "the second Conn.Close"} {
		e.Prompt(call, func() {
			if err := e.survives(call, c.Close); err != nil {
				e.Logf("%s: %v", call, err)
			}
		})
	}
}

func connUseAfterClose(e *env) {
	one := e.sql(SelectOne)
	c := e.conn()
	e.Setup(c.Close(), "close the connection")
	calls := map[string]func() error{
		"preparing": func() error { _, err := c.prepare(e.ctx(), one); return err },
		"executing": func() error { _, err := c.exec(e.ctx(), one); return err },
		"querying":  func() error { return firstRow(e.ctx(), way{query: c.query}, one) },
		"beginning": func() error { _, err := c.begin(e.ctx(), driver.TxOptions{}); return err },
	}
	if p, ok := c.Conn.(driver.Pinger); ok {
		calls["Ping"] = func() error { return p.Ping(e.ctx()) }
	}
	for what, call := range calls {
		what += " after Conn.Close"
		if err := e.survives(what, call); err == nil {
			e.Errorf("%s: wanted an error, found none", what)
		}
	}
	_ = e.survives("ResetSession or IsValid after Conn.Close", func() error { c.reset(e.ctx()); return nil })
}
