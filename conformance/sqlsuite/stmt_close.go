package sqlsuite

import (
	"database/sql/driver"
	"fmt"
	"io"
)

// stmtCloseWithOpenRows prepares the same text again after the statement is
// closed, so that what was freed is used for other rows: a driver that reads
// on in freed memory is likely to find those, or to take them away when its
// own rows are closed.
func stmtCloseWithOpenRows(e *env) {
	mine, other := e.kv(3), e.table(CreateKV)
	for id := range 3 {
		e.do(e.on(other, InsertKV), id+1, "foreign")
	}
	c := e.conn()
	text := e.on(mine, SelectAll)
	st, err := c.prepare(e.ctx(), text)
	e.Setup(err, "prepare %q", text)
	cur, err := st.query(e.ctx())
	e.Setup(err, "query %q", text)
	_, err = cur.next()
	e.Setup(err, "read the first row of %q", text)
	if e.promptly("Stmt.Close while rows are open", st.Close) != nil {
		e.Logf("Stmt.Close while rows are open returned an error, which is allowed")
	}
	second, err := c.query(e.ctx(), e.on(other, SelectAll))
	if err != nil { // one set of rows at a time may be all that there is
		e.Logf("no second query while rows are open: %v", err)
	}
	e.promptly("reading rows whose statement is closed", func() error {
		rows, err := cur.rest()
		e.wantPrefix(fmt.Sprintf("%q, the rows after the first, when the statement is closed", text), rows, err, "2|row-2", "3|row-3")
		return nil
	})
	e.promptly("Rows.Close after Stmt.Close", cur.Close)
	if second != nil {
		e.promptly("reading another statement's rows", func() error {
			rows, err := second.rest()
			e.wantPrefix(fmt.Sprintf("%q, opened after the statement was closed", second.text), rows, err, "1|foreign", "2|foreign", "3|foreign")
			return second.Close()
		})
	}
	if c.reset(e.ctx()) { // else the pool discards it
		e.works(c, "after Stmt.Close while rows were open")
	}
}

// works reports an error unless the connection can query.
func (e *env) works(c *conn, when string) {
	text := e.sql(SelectOne)
	e.promptly("a query "+when, func() error {
		rows, err := c.all(e.ctx(), text)
		e.wantRows(fmt.Sprintf("%q %s", text, when), rows, err, "1")
		return nil
	})
}

// stmtCloseAfterConnClose has statements in every state. It goes through
// database/sql too, where a user does the same without seeing it.
func stmtCloseAfterConnClose(e *env) {
	table := e.kv(3)
	text := e.on(table, SelectAll)
	c := e.conn()
	states := map[string]*stmt{}
	for _, state := range []string{"never used", "used", "with rows open"} {
		st, err := c.prepare(e.ctx(), text)
		e.Setup(err, "prepare %q", text)
		states[state] = st
	}
	_, err := states["used"].all(e.ctx())
	e.Setup(err, "query %q", text)
	cur, err := states["with rows open"].query(e.ctx())
	e.Setup(err, "query %q", text)
	_, err = cur.next()
	e.Setup(err, "read a row")
	e.safely("Conn.Close with open statements", c.Close)
	for _, state := range []string{"never used", "used", "with rows open"} {
		what := fmt.Sprintf("Stmt.Close, of a statement %s, after Conn.Close", state)
		e.promptly(what, states[state].Close)
	}

	db := e.openDB()
	ci, err := db.Conn(e.ctx())
	e.Setup(err, "connect")
	st, err := ci.PrepareContext(e.ctx(), text)
	e.Setup(err, "prepare %q", text)
	e.Setup(ci.Close(), "return the connection")
	e.Setup(db.Close(), "close the database")
	e.promptly("sql.Stmt.Close after sql.Conn.Close and sql.DB.Close", st.Close)
	e.works(e.conn(), "on a new connection")
}

func stmtCloseAfterTxEnd(e *env) {
	table := e.table(CreateKV)
	c := e.conn()
	insert := e.on(table, InsertKV)
	for id, end := range []string{"Commit", "Rollback"} {
		tx, err := c.begin(e.ctx(), driver.TxOptions{})
		e.Setup(err, "begin")
		st, err := c.prepare(e.ctx(), insert)
		e.Setup(err, "prepare %q", insert)
		idle, err := c.prepare(e.ctx(), e.on(table, SelectAll))
		e.Setup(err, "prepare")
		_, err = st.exec(e.ctx(), id+1, end)
		e.Setup(err, "execute %q", insert)
		if end == "Commit" {
			err = tx.Commit()
		} else {
			err = tx.Rollback()
		}
		e.Setup(err, "end the transaction by %s", end)
		for _, s := range []*stmt{st, idle} {
			// An error is of no consequence: database/sql drops it.
			_ = e.safely("Stmt.Close after "+end, s.Close)
		}
		e.works(c, "after "+end+" and then Stmt.Close")
	}
	if !c.reset(e.ctx()) {
		e.Errorf("after statements were closed when their transaction had ended: wanted a connection that goes on, found one that the pool discards")
	}
	if n := e.count(table); n != 1 {
		e.Errorf("after one Commit and one Rollback: wanted 1 row, found %d", n)
	}
}

func stmtUseAfterClose(e *env) {
	table := e.kv(1)
	c := e.conn()
	for _, s := range []struct {
		text string
		args []any
	}{{e.sql(SelectOne), nil}, {e.on(table, InsertKV), []any{2, "closed"}}} {
		st, err := c.prepare(e.ctx(), s.text)
		e.Setup(err, "prepare %q", s.text)
		e.Setup(st.Close(), "close %q", s.text)
		e.promptly("Stmt.Close, for the second time,", st.Close)
		e.promptly("executing a closed statement", func() error {
			if _, err := st.exec(e.ctx(), s.args...); err == nil {
				e.Errorf("executing %q, closed: wanted an error, found none", s.text)
			}
			return nil
		})
		e.promptly("querying a closed statement", func() error {
			cur, err := st.query(e.ctx(), s.args...)
			if err == nil {
				_, err = cur.next()
				cur.Close()
			}
			if err == nil || err == io.EOF {
				e.Errorf("querying %q, closed: wanted an error, found %s", s.text, told(err))
			}
			return nil
		})
	}
	e.works(c, "after closed statements were used")
	if n := e.count(table); n != 1 {
		e.Errorf("after a closed INSERT was executed: wanted 1 row, found %d", n)
	}
}
