package sqlsuite

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/keyway-go/keyway/conformance"
)

// argsChecks are about the arguments of statements.
var argsChecks = []check{
	{
		ID: "args/named", Level: conformance.Should, Gate: "ExecerContext, QueryerContext or their Stmt... counterparts",
		Rule:   "A named argument is bound to the parameter of that name, whatever its place, or refused; a name without an argument is an error.",
		Source: "database/sql/driver, NamedValue; database/sql, Named",
		Run:    with(argsNamed),
	},
	{
		ID: "args/valuer", Level: conformance.Must, Gate: "NamedValueChecker",
		Rule:   "An argument that is a driver.Valuer is stored as what its Value returns, and its error is the call's.",
		Source: "database/sql, driverArgsConnLocked: a NamedValueChecker gets the argument as the user gave it; go-sql-driver/mysql#708",
		Run:    with(argsValuer),
	},
	{
		ID: "args/nil-ptr-valuer", Level: conformance.Must, Gate: "NamedValueChecker",
		Rule:   "A nil pointer to a type whose Value method has a value receiver is NULL, and no panic.",
		Source: "database/sql/driver, callValuerValue; go-sql-driver/mysql#739",
		Run:    with(argsNilPtrValuer),
	},
	{
		ID: "args/unsupported", Level: conformance.Must,
		Rule:   "An argument of a type that the driver does not know is an error: it is neither stored in some form nor a panic.",
		Source: "database/sql/driver, DefaultParameterConverter and NamedValueChecker",
		Run:    with(argsUnsupported),
	},
	{
		ID: "args/not-retained", Level: conformance.Must,
		Rule:   "A []byte that is an argument belongs to the caller again when the call returns: it is not read later, nor changed.",
		Source: "the sql contract: arguments are not kept or changed after a call returns; database/sql passes the slice on as it is",
		Run:    with(argsNotRetained),
	},
}

// argsNamed tries both orders, of which one is that of the parameters.
func argsNamed(e *env) {
	text, accepted := e.sql(EchoNamed), 0
	first, second := sql.Named("first", "one"), sql.Named("second", "two")
	e.eachWay(func(c *conn, w way) {
		for said, args := range map[string][]any{
			"first = one, second = two": {first, second}, "second = two, first = one": {second, first},
		} {
			cur, err := w.query(e.ctx(), text, args...)
			if err != nil {
				e.Logf("%s %q with %s: %v", w.name, text, said, err)
				continue
			}
			accepted++
			rows, err := cur.rest()
			e.wantRows(fmt.Sprintf("%s %q with %s", w.name, text, said), rows, err, "two|one")
			e.Setup(cur.Close(), "close the rows")
		}
		if err := firstRow(e.ctx(), w, text, first); err == nil || err == io.EOF {
			e.Errorf("%s %q with first alone: wanted an error, found %s", w.name, text, told(err))
		}
	})
	if accepted == 0 {
		e.Unsupported("the driver refuses named arguments")
	}
}

// label is a Valuer whose value is not what its type suggests.
type label string

func (l label) Value() (driver.Value, error) {
	if l == "" {
		return nil, errors.New("an empty label has no value")
	}
	return "label:" + string(l), nil
}

// ticket is a Valuer behind whose type there is no value at all.
type ticket struct{ n int64 }

func (t ticket) Value() (driver.Value, error) { return t.n, nil }

// checksArgs ends the check as unsupported if nothing of the driver sees
// arguments before they are converted.
func (e *env) checksArgs(c *conn) {
	if _, ok := c.Conn.(driver.NamedValueChecker); ok {
		return
	}
	st, err := c.prepare(e.ctx(), e.sql(SelectOne))
	e.Setup(err, "prepare")
	if _, ok := st.Stmt.(driver.NamedValueChecker); !ok {
		e.Unsupported("neither the connection nor the statement is a NamedValueChecker")
	}
}

func argsValuer(e *env) {
	table := e.table(CreateKV)
	insert, last := e.on(table, InsertKV), 0
	e.eachWay(func(c *conn, w way) {
		e.checksArgs(c)
		last++
		if _, err := w.exec(e.ctx(), insert, ticket{int64(last)}, label("x")); err != nil {
			e.Errorf("%s %q with two Valuers: wanted no error, found %v", w.name, insert, err)
		} else if v, ok := e.stored(table, last); !ok || v.String != "label:x" {
			e.Errorf("%s %q with Valuers of %d and %q: wanted that stored, found %s", w.name, insert, last, "label:x", named(v.String, ok))
		}
		last++
		pointer := label("p")
		if _, err := w.exec(e.ctx(), insert, last, &pointer); err != nil {
			e.Errorf("%s %q with a pointer to a Valuer: wanted no error, found %v", w.name, insert, err)
		} else if v, ok := e.stored(table, last); v.String != "label:p" {
			e.Errorf("%s %q with a pointer to a Valuer of %q: wanted that stored, found %s", w.name, insert, "label:p", named(v.String, ok))
		}
		last++
		if _, err := w.exec(e.ctx(), insert, last, label("")); err == nil {
			v, ok := e.stored(table, last)
			e.Errorf("%s %q with a Valuer that returns an error: wanted an error, found none and %s", w.name, insert, named(v.String, ok))
		}
	})
}

func argsNilPtrValuer(e *env) {
	table := e.table(CreateKV)
	insert, last := e.on(table, InsertKV), 0
	e.eachWay(func(c *conn, w way) {
		e.checksArgs(c)
		last++
		what := fmt.Sprintf("%s %q with a nil pointer to a Valuer", w.name, insert)
		e.safely(what, func() error {
			_, err := w.exec(e.ctx(), insert, last, (*label)(nil))
			if err != nil {
				e.Errorf("%s: wanted no error, found %v", what, err)
			} else if v, ok := e.stored(table, last); !ok || v.Valid {
				e.Errorf("%s: wanted NULL stored, found %s", what, named(v.String, ok))
			}
			return err
		})
	})
}

// argsUnsupported has types that no database has.
func argsUnsupported(e *env) {
	table := e.table(CreateKV)
	insert := e.on(table, InsertKV)
	e.eachWay(func(c *conn, w way) {
		for _, arg := range []any{make(chan int), func() {}, complex(1, 2), []chan int{nil}, struct{ c chan int }{}} {
			what := fmt.Sprintf("%s %q with an argument of type %T", w.name, insert, arg)
			err := e.safely(what, func() error {
				_, err := w.exec(e.ctx(), insert, 1, arg)
				return err
			})
			if err == nil {
				v, ok := e.stored(table, 1)
				e.Errorf("%s: wanted an error, found none and %s", what, named(v.String, ok))
			}
		}
		e.works(c, "after arguments of types that are not supported")
	})
}

// argsNotRetained writes over the argument as soon as the call has returned: of
// an execution, and of a query before its rows are read.
func argsNotRetained(e *env) {
	table := e.table(CreateTyped)
	insert := e.sql(InsertTyped, "table", table, "column", "x")
	find := e.sql(FindTyped, "table", table, "column", "x")
	last := 0
	e.eachWay(func(c *conn, w way) {
		last++
		want := fmt.Appendf(nil, "%s: bytes that are the caller's", w.name)
		arg := bytes.Clone(want)
		_, err := w.exec(e.ctx(), insert, last, arg)
		e.Setup(err, "execute %q", insert)
		e.unchanged(w, insert, arg, want)
		clear(arg)
		rows, err := c.all(e.ctx(), e.sql(SelectTyped, "table", table, "column", "x"), last)
		e.wantRows(fmt.Sprintf("what %s %q stored, after its argument was overwritten", w.name, insert), rows, err, string(want))

		copy(arg, want)
		cur, err := w.query(e.ctx(), find, arg)
		e.Setup(err, "query %q", find)
		e.unchanged(w, find, arg, want)
		clear(arg)
		rows, err = cur.rest()
		e.wantRows(fmt.Sprintf("%s %q, read after its argument was overwritten", w.name, find), rows, err, fmt.Sprint(last))
		e.Setup(cur.Close(), "close the rows")
	})
}

func (e *env) unchanged(w way, text string, arg, want []byte) {
	if !bytes.Equal(arg, want) {
		e.Errorf("%s %q: wanted its argument unchanged, %q, found %q", w.name, text, want, arg)
	}
}
