package sqlsuite

import (
	"context"
	"database/sql/driver"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// rowsColumns lets the connection work while it asks, which only the race
// detector may notice. A connection that cannot do two things at a time may
// refuse that work.
func rowsColumns(e *env) {
	e.eachWay(func(c *conn, w way) {
		text, one := e.rows(3, Series), e.sql(SelectOne)
		cur, err := w.query(e.ctx(), text)
		e.Setup(err, "query %q", text)
		want := []string{"n", "s", "x"}
		asked := func(when string) {
			if got := cur.Columns(); !sameNames(got, want) {
				e.Errorf("%s %q: Columns %s: wanted %q, found %q", w.name, text, when, want, got)
			}
		}
		asked("before the first Next")
		dest := make([]driver.Value, len(want))
		for range 3 {
			e.Setup(cur.Next(dest), "read a row")
			asked("after a row")
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.exec(e.ctx(), one); err != nil {
				e.Logf("%q while rows are open: %v", one, err)
			}
		})
		for range 20 {
			asked("while the connection is at work")
		}
		wg.Wait()
		if err := cur.Next(dest); err == nil {
			e.Errorf("%s %q: wanted 3 rows, found more", w.name, text)
		}
		asked("after the last row")
		e.quietly(cur)
	})
}

// sameNames lets a database write names that are not quoted in upper case.
func sameNames(got, want []string) bool { return slices.EqualFunc(got, want, strings.EqualFold) }

func rowsColumnsNames(e *env) {
	text := e.sql(SelectNamed)
	want := []string{"First Column", "dup", "dup"}
	e.eachWay(func(c *conn, w way) {
		cur, err := w.query(e.ctx(), text)
		e.Setup(err, "query %q", text)
		if got := cur.Columns(); !sameNames(got, want) || got[0] != want[0] { // the first is quoted
			e.Errorf("%s %q: wanted the columns %q, found %q", w.name, text, want, got)
		}
		rows, err := cur.rest()
		e.wantRows(w.name+" "+text, rows, err, "1|2|3")
		e.Setup(cur.Close(), "close the rows of %q", text)
	})
}

// sample is a value for each column of a typed table, but for r, which has a
// default.
var sample = map[string]any{
	"i": int64(-42), "f": 2.5, "b": true, "s": "text", "x": []byte("bytes"), "c": "limited", "d": "12.25",
	"t": time.Date(2024, time.February, 29, 12, 30, 45, 0, time.UTC),
}

// typed makes a typed table with a row for each value of sample, whose other
// columns are NULL. The rows begin at the id 1, in the order of the columns.
func (e *env) typed() string {
	table := e.table(CreateTyped)
	for i, column := range sampled() {
		e.do(e.sql(InsertTyped, "table", table, "column", column), i+1, sample[column])
	}
	return table
}

// sampled are the columns that sample has, in the order of the table.
func sampled() []string { return []string{"i", "f", "b", "s", "x", "t", "c", "d"} }

func rowsValueTypes(e *env) {
	table := e.typed()
	one := e.sql(SelectTyped, "table", table, "column", "i")
	e.eachWay(func(c *conn, w way) {
		for _, text := range []string{
			e.on(table, SelectTypedAll), e.on(table, CountKV), e.sql(SelectOne), e.sql(SelectMax, "table", table, "column", "t"),
		} {
			cur, err := w.query(e.ctx(), text)
			e.Setup(err, "query %q", text)
			columns := cur.Columns()
			rows, err := cur.rest()
			e.Setup(err, "read %q", text)
			e.Setup(cur.Close(), "close the rows of %q", text)
			for _, row := range rows {
				for i, v := range row {
					if _, isRows := v.(driver.Rows); !isRows && !driver.IsValue(v) && !c.handles(v, one) {
						e.Errorf("%s %q, column %s: wanted a driver.Value, found %s", w.name, text, columns[i], show(v))
					}
				}
			}
		}
	})
}

// handles tells whether the driver's own NamedValueChecker, that of statements
// or that of the connection, takes a value as it is: it is then of a type that
// the driver handles. The text is of a statement with a parameter.
func (c *conn) handles(v driver.Value, text string) bool {
	st, err := c.prepare(c.e.ctx(), text)
	c.e.Setup(err, "prepare %q", text)
	defer st.Close()
	for _, of := range []any{st.Stmt, c.Conn} {
		checker, ok := of.(driver.NamedValueChecker)
		nv := driver.NamedValue{Ordinal: 1, Value: v}
		if ok && checker.CheckNamedValue(&nv) == nil && reflect.DeepEqual(nv.Value, v) {
			return true
		}
	}
	return false
}

// rowsNilOnError calls the driver's own methods, as those of conn do not pass
// on what comes with an error. A value that works does no harm beside it.
func rowsNilOnError(e *env) {
	c := e.conn()
	bad, missing := e.sql(BadSyntax), e.on(e.name(), SelectAll)
	wantNil := func(what string, found any, err error) {
		if err != nil && nilPointer(found) {
			e.Errorf("%s, with the error %q: wanted nil, found a nil pointer of type %T", what, err, found)
		}
	}
	for _, text := range []string{bad, missing} {
		if query := c.queryer(); query != nil {
			rows, err := query(e.ctx(), text, nil)
			wantNil("the rows of "+text, rows, err)
		}
		if exec := c.execer(); exec != nil {
			res, err := exec(e.ctx(), text, nil)
			wantNil("the result of "+text, res, err)
		}
		st, err := c.Conn.Prepare(text)
		wantNil("the statement of "+text, st, err)
		if err == nil {
			e.nilFromStmt(st, text, wantNil)
		}
	}
	if ci, ok := c.Conn.(driver.ConnBeginTx); ok {
		ctx, cancel := context.WithCancel(e.ctx())
		cancel()
		tx, err := ci.BeginTx(ctx, driver.TxOptions{})
		wantNil("the transaction of a cancelled BeginTx", tx, err)
		if err == nil {
			e.Setup(tx.Rollback(), "roll back")
		}
	}
}

// nilFromStmt queries a statement that was prepared although it is wrong.
func (e *env) nilFromStmt(st driver.Stmt, text string, wantNil func(string, any, error)) {
	defer st.Close()
	if si, ok := st.(driver.StmtQueryContext); ok {
		rows, err := si.QueryContext(e.ctx(), nil)
		wantNil("the rows of the prepared "+text, rows, err)
		if err == nil {
			e.Setup(rows.Close(), "close the rows of %q", text)
		}
	}
}

func nilPointer(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}
