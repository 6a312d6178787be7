package sqlsuite

import (
	"database/sql/driver"
	"fmt"

	"github.com/keyway-go/keyway/conformance"
)

// resultChecks are about driver.Result.
var resultChecks = []check{
	{
		ID: "result/rows-affected", Level: conformance.Must,
		Rule:   "RowsAffected is the number of rows that an INSERT, UPDATE or DELETE changed, 0 if there were none, or an error.",
		Source: "database/sql/driver, Result.RowsAffected; ibmdb/go_ibm_db#48",
		Run:    with(resultRowsAffected),
	},
	{
		ID: "result/last-insert-id", Level: conformance.Should,
		Rule:   "LastInsertId after an INSERT is the id that the database chose for the row, or an error; never 0 or that of another row.",
		Source: "database/sql/driver, Result.LastInsertId",
		Run:    with(resultLastInsertID),
	},
	{
		ID: "result/snapshot", Level: conformance.Must,
		Rule:   "A Result says what its statement did, whatever the connection did since, and after the statement and the connection are closed.",
		Source: "database/sql, driverResult: a Result is asked when its connection may be in the pool, in use by another, or closed",
		Run:    with(resultSnapshot),
	},
	{
		ID: "result/never-panics", Level: conformance.Must,
		Rule:   "RowsAffected and LastInsertId of any statement return, with an error where they mean nothing.",
		Source: "database/sql, driverResult; go-sql-driver/mysql#1733",
		Run:    with(resultNeverPanics),
	},
}

// resultRowsAffected changes values each time: to set a value that is there
// already changes nothing in some databases.
func resultRowsAffected(e *env) {
	e.eachWay(func(c *conn, w way) {
		table := e.kv(3)
		for _, s := range []struct {
			q    Query
			args []any
			want int64
		}{
			{InsertKV, []any{4, "four"}, 1},
			{UpdateAll, []any{"all " + w.name}, 4},
			{UpdateKV, []any{"one " + w.name, 1}, 1},
			{UpdateKV, []any{"none", 99}, 0},
			{DeleteKV, []any{2}, 1},
			{DeleteKV, []any{2}, 0},
			{DeleteAll, nil, 3},
			{UpdateAll, []any{"nobody"}, 0},
		} {
			text := e.on(table, s.q)
			res, err := w.exec(e.ctx(), text, s.args...)
			e.Setup(err, "execute %q", text)
			n, err := res.RowsAffected()
			switch {
			case err != nil:
				e.Logf("%s %q: RowsAffected: %v", w.name, text, err)
			case n != s.want:
				e.Errorf("%s %q with %v: wanted RowsAffected %d, or an error, found %d", w.name, text, s.args, s.want, n)
			}
		}
	})
}

func resultLastInsertID(e *env) {
	e.eachWay(func(c *conn, w way) {
		table := e.table(CreateKV)
		insert := e.on(table, InsertAuto)
		for n := range 3 {
			value := fmt.Sprintf("row %d", n)
			res, err := w.exec(e.ctx(), insert, value)
			e.Setup(err, "execute %q", insert)
			id, err := res.LastInsertId()
			if err != nil {
				e.Logf("%s %q: LastInsertId: %v", w.name, insert, err)
				continue
			}
			if v, ok := e.stored(table, int(id)); !ok || v.String != value {
				e.Errorf("%s %q with %q: wanted LastInsertId to be the id of that row, or an error, found %d, which is the id of %s",
					w.name, insert, value, id, named(v.String, ok))
			}
		}
	})
}

func named(v string, ok bool) string {
	if !ok {
		return "no row"
	}
	return fmt.Sprintf("the row %q", v)
}

// resultSnapshot executes each statement twice: of the first it asks the Result
// at once, of the second only later, when a driver that looks up the numbers on
// demand finds those of something else.
func resultSnapshot(e *env) {
	e.eachWay(func(c *conn, w way) {
		table := e.kv(3)
		update, insert := e.on(table, UpdateAll), e.on(table, InsertKV)
		exec := func(text string, args ...any) driver.Result {
			res, err := w.exec(e.ctx(), text, args...)
			e.Setup(err, "execute %q", text)
			return res
		}
		asked := exec(update, "one "+w.name)
		first := numbers(asked)
		fresh := exec(update, "two "+w.name)
		added := exec(insert, 4, "four")
		was := numbers(added)
		for id := 5; id < 7; id++ {
			exec(insert, id, "more")
		}
		exec(e.on(table, DeleteAll))
		unchanged := func(when string) {
			e.sameNumbers(w.name+" "+update, asked, first, when)
			e.sameNumbers(w.name+" "+insert, added, was, when)
			if n, err := fresh.RowsAffected(); err == nil && fmt.Sprint(n) != first[0] {
				e.Errorf("%s %q, a Result that was not asked before: RowsAffected %s: wanted %s, found %d", w.name, update, when, first[0], n)
			}
		}
		unchanged("after other statements")
		e.Setup(c.Close(), "close the connection")
		e.safely("asking a Result after Conn.Close", func() error { unchanged("after Conn.Close"); return nil })
	})
}

// numbers are RowsAffected and LastInsertId as texts; an error has no number.
func numbers(res driver.Result) [2]string {
	var out [2]string
	for i, ask := range []func() (int64, error){res.RowsAffected, res.LastInsertId} {
		if n, err := ask(); err == nil {
			out[i] = fmt.Sprint(n)
		}
	}
	return out
}

func (e *env) sameNumbers(what string, res driver.Result, was [2]string, when string) {
	if now := numbers(res); now != was {
		e.Errorf("%s: RowsAffected and LastInsertId %s: wanted %q as before, found %q", what, when, was, now)
	}
}

// resultNeverPanics executes a text without a statement in one way only: see
// stmt/empty-or-comment for the other.
func resultNeverPanics(e *env) {
	e.eachWay(func(c *conn, w way) {
		table := e.name()
		texts := []string{
			e.on(table, CreateKV), e.on(table, SelectAll), e.on(table, UpdateAll), e.on(table, AddColumn), e.sql(SelectOne), e.on(table, Drop),
		}
		if w.name == c.ways()[0].name {
			texts = append(texts, e.sql(Empty), e.sql(Comment))
		}
		for _, text := range texts {
			var args []any
			if text == e.on(table, UpdateAll) {
				args = []any{"value"}
			}
			res, err := w.exec(e.ctx(), text, args...)
			if err != nil || res == nil { // that there is a result is for another check
				continue
			}
			for method, ask := range map[string]func() (int64, error){"RowsAffected": res.RowsAffected, "LastInsertId": res.LastInsertId} {
				e.safely(fmt.Sprintf("%s of %s %q", method, w.name, text), func() error {
					_, err := ask()
					return err
				})
			}
		}
	})
}
