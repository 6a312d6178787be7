package sqlsuite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/keyway-go/keyway/conformance"
)

// stmtChecks are about prepared statements, and about the texts from which
// they are made.
var stmtChecks = []check{
	{
		ID: "stmt/close-with-open-rows", Level: conformance.Must,
		Rule:   "Closing a statement leaves its open rows readable to their end, or failing with an error; it never ends them silently, crashes, lets them read another statement's rows, or leaves a useless connection in the pool.",
		Source: "database/sql, Stmt.Close: a statement of a sql.Conn or sql.Tx is closed at once, rows or not; go-sql-driver/mysql#314",
		Run:    with(stmtCloseWithOpenRows),
	},
	{
		ID: "stmt/num-input", Level: conformance.Must,
		Rule:   "NumInput returns the number of parameters, or -1 if it is not known, and always the same.",
		Source: "database/sql/driver, Stmt.NumInput; database/sql compares it with the number of arguments before every call",
		Run:    with(stmtNumInput),
	},
	{
		ID: "stmt/arg-count", Level: conformance.Must,
		Rule:   "Too few or too many arguments are an error, also where a text is not prepared and database/sql does not count them.",
		Source: "database/sql, driverArgsConnLocked: without a statement it wants any number",
		Run:    with(stmtArgCount),
	},
	{
		ID: "stmt/reuse", Level: conformance.Must,
		Rule:   "A statement can be executed again, with other arguments, after rows that were not read to their end, and after an error.",
		Source: "database/sql, DB.Prepare: a statement is kept and used many times",
		Run:    with(stmtReuse),
	},
	{
		ID: "stmt/no-stale-args", Level: conformance.Must,
		Rule:   "An execution sees its own arguments only: nothing of those of an earlier one is left, be the new ones shorter or NULL.",
		Source: "database/sql, Stmt.ExecContext: executes a prepared statement with the given arguments",
		Run:    with(stmtNoStaleArgs),
	},
	{
		ID: "stmt/close-after-conn-close", Level: conformance.Must,
		Rule:   "Closing a statement whose connection is closed already returns, with an error or without, and touches nothing that was freed.",
		Source: "database/sql, driverConn.prepareLocked: a connection does not track the statements of a sql.Conn or sql.Tx, which are closed later than it",
		Run:    with(stmtCloseAfterConnClose),
	},
	{
		ID: "stmt/close-after-tx-end", Level: conformance.Must,
		Rule:   "Closing a statement that was prepared in a transaction, after the transaction ended, does not panic or disturb the connection.",
		Source: "database/sql, Tx.Commit and Tx.Rollback call closePrepared after driver.Tx's Commit or Rollback",
		Run:    with(stmtCloseAfterTxEnd),
	},
	{
		ID: "stmt/use-after-close", Level: conformance.Should,
		Rule:   "Executing a closed statement is an error, closing it again does nothing, and neither panics.",
		Source: "database/sql/driver, Stmt.Close; the sql contract: after Close every other method returns an error",
		Run:    with(stmtUseAfterClose),
	},
	{
		ID: "stmt/many-open", Level: conformance.Should,
		Rule:   "A connection holds many prepared statements at once, and each gives its own rows.",
		Source: "database/sql, DB.Prepare: each statement stays open on every connection that it was used on",
		Run:    with(stmtManyOpen),
	},
	{
		ID: "stmt/bad-sql", Level: conformance.Must,
		Rule:   "A text that the database refuses is an error of the call, or at the latest of the first Next.",
		Source: "database/sql/driver, Conn.Prepare, QueryerContext and Rows.Next",
		Run:    with(stmtBadSQL),
	},
	{
		ID: "stmt/empty-or-comment", Level: conformance.Should,
		Rule:   "A text without a statement is done at once or refused; it neither panics nor hangs nor spoils the connection.",
		Source: "mattn/go-sqlite3#269",
		Run:    with(stmtEmptyOrComment),
	},
	{
		ID: "stmt/multi", Level: conformance.Should,
		Rule:   "A text of two statements runs both or is refused; none of them is dropped in silence.",
		Source: "mattn/go-sqlite3#987",
		Run:    with(stmtMulti),
	},
	{
		ID: "stmt/query-dml", Level: conformance.Should,
		Rule:   "An INSERT that is run as a query is carried out in full, once, even if its rows are closed unread.",
		Source: "mattn/go-sqlite3#987, #1363",
		Run:    with(stmtQueryDML),
	},
	{
		ID: "stmt/exec-select", Level: conformance.Should,
		Rule:   "A SELECT that is executed runs to its end: an error on its way is an error of the call, and the connection is free afterwards.",
		Source: "mattn/go-sqlite3#987; database/sql, DB.Exec: executes a query without returning any rows",
		Run:    with(stmtExecSelect),
	},
	{
		ID: "stmt/schema-change", Level: conformance.Should,
		Rule:   "A statement whose table got another column since it was prepared gives an error, or rows that fit what Columns says; it does not panic or mix up values.",
		Source: "database/sql, DB.Prepare: a statement lives longer than a schema",
		Run:    with(stmtSchemaChange),
	},
	{
		ID: "stmt/legacy-parity", Level: conformance.Should,
		Rule:   "Stmt.Exec and Stmt.Query, which have no context, do what ExecContext and QueryContext do, or return an error.",
		Source: "database/sql/driver, Stmt.Exec and Stmt.Query; lib/pq#1384",
		Run:    with(stmtLegacyParity),
	},
}

func stmtNumInput(e *env) {
	table := e.kv(1)
	c := e.conn()
	for _, s := range []struct {
		text string
		want int
		args []any
	}{
		{e.sql(SelectOne), 0, nil},
		{e.on(table, SelectKV), 1, []any{1}},
		{e.on(table, InsertKV), 2, []any{2, "two"}},
	} {
		st, err := c.prepare(e.ctx(), s.text)
		e.Setup(err, "prepare %q", s.text)
		first := st.NumInput()
		if first != s.want && first != -1 {
			e.Errorf("NumInput of %q: wanted %d, or -1, found %d", s.text, s.want, first)
			continue
		}
		if s.want < 2 {
			_, err = st.all(e.ctx(), s.args...)
		} else {
			_, err = st.exec(e.ctx(), s.args...)
		}
		e.Setup(err, "execute %q", s.text)
		if again := st.NumInput(); again != first {
			e.Errorf("NumInput of %q: it was %d, wanted the same after an execution, found %d", s.text, first, again)
		}
	}
}

// stmtArgCount looks at what is committed as well: an INSERT with a value too
// few must not add a row with a guessed one.
func stmtArgCount(e *env) {
	table := e.kv(2)
	e.eachWay(func(c *conn, w way) {
		for _, s := range []struct {
			q    Query
			args []any
		}{
			{SelectKV, nil}, {SelectKV, []any{1, 2}}, {SelectAll, []any{1}},
			{InsertKV, []any{3}}, {InsertKV, []any{3, "three", "more"}},
		} {
			text := e.on(table, s.q)
			var err error
			if s.q == InsertKV {
				_, err = w.exec(e.ctx(), text, s.args...)
			} else {
				err = firstRow(e.ctx(), w, text, s.args...)
			}
			if err == nil || err == io.EOF {
				e.Errorf("%s %q with %d arguments: wanted an error, found none", w.name, text, len(s.args))
			}
		}
	})
	if n := e.count(table); n != 2 && !e.Failed() {
		e.Errorf("after INSERTs that failed: wanted 2 rows, found %d", n)
	}
}

func stmtReuse(e *env) {
	table := e.kv(3)
	c := e.conn()
	one, err := c.prepare(e.ctx(), e.on(table, SelectKV))
	e.Setup(err, "prepare")
	for _, r := range []struct {
		id   int
		want []string
	}{{1, []string{"1|row-1"}}, {3, []string{"3|row-3"}}, {9, nil}, {1, []string{"1|row-1"}}} {
		rows, err := one.all(e.ctx(), r.id)
		e.wantRows(fmt.Sprintf("%q executed again, with %d", one.text, r.id), rows, err, r.want...)
	}
	all, err := c.prepare(e.ctx(), e.on(table, SelectAll))
	e.Setup(err, "prepare")
	for range 3 {
		if cur, err := all.query(e.ctx()); err != nil {
			e.Errorf("%q after its rows were closed unread: wanted no error, found %v", all.text, err)
		} else {
			e.Setup(cur.Close(), "close the rows")
		}
	}
	rows, err := all.all(e.ctx())
	e.wantRows(fmt.Sprintf("%q after its rows were closed unread", all.text), rows, err, "1|row-1", "2|row-2", "3|row-3")

	typed := e.table(CreateTyped)
	insert, err := c.prepare(e.ctx(), e.sql(InsertTyped, "table", typed, "column", "r"))
	e.Setup(err, "prepare")
	for _, s := range []struct {
		id    int
		value any
	}{{1, nil}, {1, nil}, {1, 10}, {2, 20}, {3, 30}} {
		_, err := insert.exec(e.ctx(), s.id, s.value)
		switch {
		case s.value == nil && err == nil:
			e.Errorf("%q with NULL, which the column does not take: wanted an error, found none", insert.text)
		case s.value != nil && err != nil:
			e.Errorf("%q with %v, after an execution that failed: wanted no error, found %v", insert.text, s.value, err)
		}
	}
	text := e.sql(SelectTyped, "table", typed, "column", "r")
	for id, want := range []string{"10", "20", "30"} {
		rows, err := c.all(e.ctx(), text, id+1)
		e.wantRows(fmt.Sprintf("%q with %d, after executions of which some failed", text, id+1), rows, err, want)
	}
}

func stmtNoStaleArgs(e *env) {
	table := e.table(CreateKV)
	c := e.conn()
	insert, err := c.prepare(e.ctx(), e.on(table, InsertKV))
	e.Setup(err, "prepare")
	values := []any{"a long text that comes first", nil, "short", nil, "x"}
	for i, v := range values {
		if _, err := insert.exec(e.ctx(), i+1, v); err != nil {
			e.Errorf("%q with %s: wanted no error, found %v", insert.text, show(v), err)
		}
	}
	rows, err := c.all(e.ctx(), e.on(table, SelectAll))
	e.wantRows(fmt.Sprintf("what %q stored of %q", insert.text, values), rows, err,
		"1|a long text that comes first", "2|NULL", "3|short", "4|NULL", "5|x")

	echo, err := c.prepare(e.ctx(), e.sql(EchoTwo))
	e.Setup(err, "prepare")
	for _, args := range [][2]any{{"one", "two"}, {nil, "three"}, {"four", nil}} {
		rows, err := echo.all(e.ctx(), args[0], args[1])
		e.wantRows(fmt.Sprintf("%q with %s and %s", echo.text, show(args[0]), show(args[1])), rows, err, plain(args[0])+"|"+plain(args[1]))
	}
}

func stmtManyOpen(e *env) {
	const many = 40
	table := e.kv(many)
	c := e.conn()
	text := e.on(table, SelectKV)
	var open []*stmt
	for i := range many {
		st, err := c.prepare(e.ctx(), text)
		if err != nil {
			e.Fatalf("preparing %q while %d statements are open: wanted no error, found %v", text, i, err)
		}
		open = append(open, st)
	}
	for i, st := range open {
		rows, err := st.all(e.ctx(), i+1)
		e.wantRows(fmt.Sprintf("statement %d of %d that are open", i+1, many), rows, err, fmt.Sprintf("%d|row-%d", i+1, i+1))
	}
}

// all reads the rows of a statement and closes them.
func (s *stmt) all(ctx context.Context, args ...any) ([][]driver.Value, error) {
	cur, err := s.query(ctx, args...)
	if err != nil {
		return nil, err
	}
	rows, err := cur.rest()
	return rows, errors.Join(err, cur.Close())
}
