package sqlsuite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
)

func stmtBadSQL(e *env) {
	for _, text := range []string{e.sql(BadSyntax), e.on(e.name(), SelectAll)} {
		e.eachWay(func(c *conn, w way) {
			if _, err := w.exec(e.ctx(), text); err == nil {
				e.Errorf("%s, executing %q: wanted an error, found none", w.name, text)
			}
			if err := firstRow(e.ctx(), w, text); err == nil || err == io.EOF {
				e.Errorf("%s, querying %q: wanted an error by the first Next, found %s", w.name, text, told(err))
			}
			e.works(c, fmt.Sprintf("after %s %q", w.name, text))
		})
	}
}

func stmtEmptyOrComment(e *env) {
	for _, text := range []string{e.sql(Empty), e.sql(Comment)} {
		e.eachWay(func(c *conn, w way) {
			what := fmt.Sprintf("%s, executing %q", w.name, text)
			e.Prompt(what, func() {
				e.safely(what, func() error { _, err := w.exec(e.ctx(), text); return err })
			})
			what = fmt.Sprintf("%s, querying %q", w.name, text)
			e.Prompt(what, func() {
				e.safely(what, func() error { return firstRow(e.ctx(), w, text) })
			})
			e.works(c, fmt.Sprintf("after %s %q", w.name, text))
		})
	}
}

// stmtMulti asks what is committed: only that tells what a driver did with the
// second statement.
func stmtMulti(e *env) {
	e.eachWay(func(c *conn, w way) {
		for _, how := range []string{"executing", "querying"} {
			table := e.table(CreateKV)
			text := e.on(table, TwoInserts)
			var err error
			if how == "executing" {
				_, err = w.exec(e.ctx(), text)
			} else {
				err = drain(w.query(e.ctx(), text))
			}
			if n := e.count(table); err == nil && n != 2 {
				e.Errorf("%s, %s %q: wanted 2 rows in the table, or an error, found %d and no error", w.name, how, text, n)
			}
		}
	})
}

// drain reads every result set of a query and closes it.
func drain(cur *cursor, err error) error {
	if err != nil {
		return err
	}
	_, err = cur.rest()
	if sets, ok := cur.Rows.(driver.RowsNextResultSet); ok {
		for err == nil && sets.HasNextResultSet() {
			if err = sets.NextResultSet(); err == nil {
				_, err = cur.rest()
			}
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, cur.Close())
}

func stmtQueryDML(e *env) {
	table := e.table(CreateKV)
	c, id := e.conn(), 0
	queries := []Query{InsertKV}
	if e.has(InsertReturning) {
		queries = append(queries, InsertReturning)
	}
	for _, w := range c.ways() {
		for _, q := range queries {
			for _, read := range []string{"unread", "read"} {
				id++
				text := e.on(table, q)
				what := fmt.Sprintf("%s, querying %q and closing the rows %s", w.name, text, read)
				cur, err := w.query(e.ctx(), text, id, "queried")
				if err == nil && read == "read" {
					_, err = cur.rest()
				}
				if err == nil {
					err = cur.Close()
				}
				if err != nil {
					e.Errorf("%s: wanted no error, found %v", what, err)
					continue
				}
				if v, ok := e.stored(table, id); !ok || v.String != "queried" {
					e.Errorf("%s: wanted the row in the table, found none", what)
				}
			}
		}
	}
}

func stmtExecSelect(e *env) {
	table := e.kv(1)
	c := e.conn()
	for _, w := range c.ways() {
		// A driver may mistake few rows for something else, and wait for more.
		for _, text := range []string{e.on(table, SelectAll), e.rows(0, Series), e.rows(3, Series), e.rows(200, Series)} {
			var err error
			e.Prompt(w.name+" execution of "+text, func() { _, err = w.exec(e.ctx(), text) })
			if err != nil {
				e.Errorf("%s, executing %q: wanted no error, found %v", w.name, text, err)
			}
			e.works(c, fmt.Sprintf("after %s execution of %q", w.name, text))
		}
		if e.has(SeriesThenFail) {
			text := e.rows(3, SeriesThenFail)
			if _, err := w.exec(e.ctx(), text); err == nil {
				e.Errorf("%s, executing %q, which fails after 3 rows: wanted the error, found none", w.name, text)
			}
			e.works(c, fmt.Sprintf("after %s execution of %q", w.name, text))
		}
	}
	update := e.on(table, UpdateAll)
	if _, err := c.exec(e.ctx(), update, "new"); err != nil {
		e.Errorf("%q after executing queries: wanted no error, found %v", update, err)
	}
	if v, _ := e.stored(table, 1); v.String != "new" {
		e.Errorf("%q after executing queries: wanted %q committed, found %q", update, "new", v.String)
	}
}

func stmtSchemaChange(e *env) {
	table := e.kv(2)
	c := e.conn()
	text := e.on(table, SelectStar)
	st, err := c.prepare(e.ctx(), text)
	e.Setup(err, "prepare %q", text)
	rows, err := st.all(e.ctx())
	e.wantRows(fmt.Sprintf("%q", text), rows, err, "1|row-1", "2|row-2")
	e.do(e.on(table, AddColumn))
	e.safely("executing a statement whose table has changed", func() error {
		cur, err := st.query(e.ctx())
		if err != nil {
			return err
		}
		defer cur.Close()
		names := slices.Clone(cur.Columns())
		rows, err := cur.rest()
		if err != nil {
			return err
		}
		want := []string{"1|row-1", "2|row-2"}
		if len(names) == 3 {
			want = []string{"1|row-1|NULL", "2|row-2|NULL"}
		}
		e.wantRows(fmt.Sprintf("%q, with a column more than when it was prepared, whose columns are %q", text, names), rows, nil, want...)
		return nil
	})
	e.works(c, "after a statement whose table has changed")
}

// stmtLegacyParity calls the methods that database/sql calls when there are no
// others, as a wrapper of the driver may do.
func stmtLegacyParity(e *env) {
	table := e.table(CreateKV)
	c := e.conn()
	insert, err := c.prepare(e.ctx(), e.on(table, InsertKV))
	e.Setup(err, "prepare")
	e.safely("Stmt.Exec", func() error {
		res, err := insert.Exec([]driver.Value{int64(1), "legacy"}) //nolint:staticcheck // it is what the check is about
		if err != nil {
			return err
		}
		if res == nil {
			e.Errorf("Stmt.Exec of %q: wanted a result, found nil and no error", insert.text)
		}
		if v, _ := e.stored(table, 1); v.String != "legacy" {
			e.Errorf("Stmt.Exec of %q with 1 and \"legacy\": wanted that row in the table, found %q", insert.text, v.String)
		}
		return nil
	})
	echo, err := c.prepare(e.ctx(), e.sql(EchoTwo))
	e.Setup(err, "prepare")
	e.safely("Stmt.Query", func() error {
		raw, err := echo.Query([]driver.Value{"first", "second"}) //nolint:staticcheck // it is what the check is about
		if err != nil {
			return err
		}
		cur, err := c.cursor(raw, echo.text, nil)
		if err != nil {
			return err
		}
		rows, err := cur.rest()
		e.wantRows(fmt.Sprintf("Stmt.Query of %q with \"first\" and \"second\"", echo.text), rows, err, "first|second")
		return cur.Close()
	})
	e.works(c, "after Stmt.Exec and Stmt.Query")
}
