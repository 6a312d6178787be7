package sqlsuite

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/keyway-go/keyway/conformance"
)

// txChecks are about transactions.
var txChecks = []check{
	{
		ID: "tx/commit", Level: conformance.Must,
		Rule:   "What a transaction changed is there for every connection after Commit, and the connection is out of the transaction.",
		Source: "database/sql/driver, Tx.Commit",
		Run:    with(txCommit),
	},
	{
		ID: "tx/rollback", Level: conformance.Must,
		Rule:   "Nothing of what a transaction changed is left after Rollback, and the connection is out of the transaction.",
		Source: "database/sql/driver, Tx.Rollback",
		Run:    with(txRollback),
	},
	{
		ID: "tx/commit-error-cleans", Level: conformance.Must,
		Rule:   "After Commit returned an error, the connection is no longer in the transaction, or the pool discards it.",
		Source: "database/sql, Tx.Commit: only driver.ErrBadConn discards the connection; mattn/go-sqlite3#184",
		Run:    with(txCommitErrorCleans),
	},
	{
		ID: "tx/error-then-rollback", Level: conformance.Must,
		Rule:   "Rollback works after a statement of the transaction failed, and leaves the connection out of the transaction.",
		Source: "database/sql/driver, Tx.Rollback; database/sql keeps the connection after Rollback",
		Run:    with(txErrorThenRollback),
	},
	{
		ID: "tx/commit-after-rollback", Level: conformance.Should,
		Rule:   "Commit and Rollback of a transaction that has ended return an error and do nothing.",
		Source: "database/sql, Tx.Commit and Tx.Rollback return ErrTxDone; the same is due of driver.Tx",
		Run:    with(txCommitAfterRollback),
	},
	{
		ID: "tx/isolation-unsupported", Level: conformance.Must, Gate: "ConnBeginTx",
		Rule:   "BeginTx returns an error for an isolation level that the driver does not support.",
		Source: "database/sql/driver, ConnBeginTx.BeginTx: an error must be returned; mattn/go-sqlite3#685",
		Run:    with(txIsolationUnsupported),
	},
	{
		ID: "tx/isolation-effective", Level: conformance.Should, Gate: "ConnBeginTx",
		Rule:   "In a transaction for which BeginTx accepted repeatable read or more, a row that was read reads the same again.",
		Source: "database/sql/driver, ConnBeginTx.BeginTx: must check TxOptions.Isolation",
		Run:    with(txIsolationEffective),
	},
	{
		ID: "tx/read-only", Level: conformance.Must, Gate: "ConnBeginTx",
		Rule:   "BeginTx with ReadOnly makes a transaction that cannot write, or returns an error.",
		Source: "database/sql/driver, ConnBeginTx.BeginTx: must set the read-only property or return an error; mattn/go-sqlite3#685",
		Run:    with(txReadOnly),
	},
	{
		ID: "tx/cancel-rolls-back", Level: conformance.Must,
		Rule:   "A transaction whose context ends is rolled back, and its connection is out of it when the pool hands it out again.",
		Source: "database/sql, Tx.awaitDone: calls driver.Tx.Rollback, and keeps a connection that has ResetSession and IsValid; mattn/go-sqlite3#923",
		Run:    with(txCancelRollsBack),
	},
	{
		ID: "tx/close-rolls-back", Level: conformance.Must,
		Rule:   "Conn.Close rolls back an open transaction and frees what it locked.",
		Source: "database/sql/driver, Conn.Close: invalidates and potentially stops any current transactions",
		Run:    with(txCloseRollsBack),
	},
	{
		ID: "tx/nested", Level: conformance.Should,
		Rule:   "Begin on a connection that is in a transaction returns an error, and leaves that transaction alone or has the pool discard the connection.",
		Source: "the suite's own rule: database/sql begins one transaction at a time, so that none of its own speaks of a second",
		Run:    with(txNested),
	},
}

// began begins a transaction that the check needs.
func (c *conn) began(opts driver.TxOptions) driver.Tx {
	tx, err := c.begin(c.e.ctx(), opts)
	c.e.Setup(err, "begin")
	if tx == nil {
		c.e.Fatalf("beginning returned neither a transaction nor an error")
	}
	return tx
}

// must executes a statement that the check needs, on this connection.
func (c *conn) must(text string, args ...any) {
	_, err := c.exec(c.e.ctx(), text, args...)
	c.e.Setup(err, "execute %q", text)
}

// outOfTx reports an error unless a statement on the connection commits itself:
// it adds a row that another connection must see. A connection that the pool
// would discard is not asked.
func (c *conn) outOfTx(after, table string, id int) {
	if !c.reset(c.e.ctx()) {
		return
	}
	insert := c.e.on(table, InsertKV)
	if _, err := c.exec(c.e.ctx(), insert, id, "after"); err != nil {
		c.e.Errorf("%q after %s: wanted no error, found %v", insert, after, err)
	} else if _, ok := c.e.stored(table, id); !ok {
		c.e.Errorf("%q after %s: another connection does not see the row: the transaction is open", insert, after)
	}
}

// change adds a row 10, changes row 1 and removes row 2 of a kv table.
func (c *conn) change(table string) {
	c.must(c.e.on(table, InsertKV), 10, "new")
	c.must(c.e.on(table, UpdateKV), "changed", 1)
	c.must(c.e.on(table, DeleteKV), 2)
}

// wantKV compares v of rows with what is stored; "" is for no row.
func (e *env) wantKV(after, table string, want map[int]string) {
	for id, v := range want {
		found, ok := e.stored(table, id)
		if ok != (v != "") || found.String != v {
			e.Errorf("after %s, from another connection: wanted %q in row %d, found %q (the row exists: %t)", after, v, id, found.String, ok)
		}
	}
}

func txCommit(e *env) {
	table := e.kv(3)
	c := e.conn()
	tx := c.began(driver.TxOptions{})
	c.change(table)
	if err := tx.Commit(); err != nil {
		e.Fatalf("Commit: wanted no error, found %v", err)
	}
	e.wantKV("Commit", table, map[int]string{1: "changed", 2: "", 3: "row-3", 10: "new"})
	c.outOfTx("Commit", table, 11)
}

func txRollback(e *env) {
	table := e.kv(3)
	c := e.conn()
	tx := c.began(driver.TxOptions{})
	c.change(table)
	if err := tx.Rollback(); err != nil {
		e.Fatalf("Rollback: wanted no error, found %v", err)
	}
	e.wantKV("Rollback", table, map[int]string{1: "row-1", 2: "row-2", 3: "row-3", 10: ""})
	c.outOfTx("Rollback", table, 11)
}

func txErrorThenRollback(e *env) {
	for i := range e.badStatements(e.name()) {
		table := e.kv(1)
		c, bad := e.conn(), e.badStatements(table)[i]
		tx := c.began(driver.TxOptions{})
		c.must(e.on(table, InsertKV), 10, "new")
		if _, err := c.exec(e.ctx(), bad.text, bad.args...); err == nil {
			e.Fatalf("%q: wanted an error, found none", bad.text)
		}
		if err := tx.Rollback(); err != nil {
			e.Errorf("Rollback after %q failed: wanted no error, found %v", bad.text, err)
		}
		e.wantKV("a failed statement and Rollback", table, map[int]string{10: ""})
		c.outOfTx("a failed statement and Rollback", table, 20+i)
	}
}

// txCommitAfterRollback ends a transaction twice, in each way.
func txCommitAfterRollback(e *env) {
	table := e.kv(0)
	insert := e.on(table, InsertKV)
	ends := []struct {
		name string
		end  func(driver.Tx) error
	}{{"Commit", driver.Tx.Commit}, {"Rollback", driver.Tx.Rollback}}
	want := map[int]string{}
	for i, first := range ends {
		for j, second := range ends {
			c, id := e.conn(), 1+2*i+j
			tx := c.began(driver.TxOptions{})
			c.must(insert, id, "new")
			e.Setup(first.end(tx), "end the transaction by %s", first.name)
			if err := second.end(tx); err == nil {
				e.Errorf("%s after %s: wanted an error, found none", second.name, first.name)
			}
			want[id] = map[string]string{"Commit": "new"}[first.name]
		}
	}
	e.wantKV("transactions that were ended twice", table, want)
}

// beginTx is for checks of the options of ConnBeginTx.
func (c *conn) beginTx(opts driver.TxOptions) (driver.Tx, error) {
	ci, ok := c.Conn.(driver.ConnBeginTx)
	if !ok {
		c.e.Unsupported("the connection has no BeginTx, so database/sql refuses options itself")
	}
	return ci.BeginTx(c.e.ctx(), opts)
}

// txIsolationUnsupported asks for a level that database/sql does not know, so
// no driver can support it.
func txIsolationUnsupported(e *env) {
	const level = 4242
	tx, err := e.conn().beginTx(driver.TxOptions{Isolation: level})
	if err == nil {
		e.Errorf("BeginTx with the isolation level %d, which does not exist: wanted an error, found none", level)
		e.Setup(tx.Rollback(), "roll back")
	}
}

// txIsolationEffective changes a row between two readings of it. A database
// that locks what was read makes the change wait, and one that cannot keep its
// promise may refuse to read: then there is nothing to see.
func txIsolationEffective(e *env) {
	accepted := 0
	for _, level := range []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSnapshot, sql.LevelSerializable, sql.LevelLinearizable} {
		table, c := e.kv(1), e.conn()
		tx, err := c.beginTx(driver.TxOptions{Isolation: driver.IsolationLevel(level)})
		if err != nil {
			e.Logf("BeginTx with the isolation level %s: %v", level, err)
			continue
		}
		accepted++
		first, firstErr := c.readKV(table, 1)
		changed := e.meanwhile(e.on(table, UpdateKV), "changed", 1)
		again, againErr := c.readKV(table, 1)
		if firstErr == nil && againErr == nil && again != first {
			e.Errorf("a transaction of level %s read %q and then, when another had changed the row, %q", level, first, again)
		}
		if err := tx.Rollback(); err != nil {
			e.Logf("rolling back a transaction of level %s: %v", level, err)
		}
		e.Prompt("changing a row after a transaction ended", func() { <-changed })
	}
	if accepted == 0 {
		e.Unsupported("BeginTx accepts neither repeatable read nor a level above it")
	}
}

// meanwhile executes a statement on the connection of look and returns when it
// has ended, or when it seems to wait for a lock.
func (e *env) meanwhile(text string, args ...any) <-chan struct{} {
	db, done := e.look(), make(chan struct{})
	go func() {
		defer close(done)
		if _, err := db.ExecContext(e.ctx(), text, args...); err != nil {
			e.Logf("%q: %v", text, err)
		}
	}()
	select {
	case <-done:
	case <-time.After(e.Patience() / 8):
	}
	return done
}

// readKV returns v of a row of a kv table, which a driver may return as a string
// or as bytes.
func (c *conn) readKV(table string, id int) (v string, err error) {
	text := c.e.on(table, SelectKV)
	rows, err := c.all(c.e.ctx(), text, id)
	if err == nil && (len(rows) != 1 || len(rows[0]) != 2) {
		err = fmt.Errorf("%q: wanted one row of two columns, found %v", text, rows)
	}
	if err != nil {
		return "", err
	}
	if b, ok := rows[0][1].([]byte); ok {
		return string(b), nil
	}
	return fmt.Sprint(rows[0][1]), nil
}

func txReadOnly(e *env) {
	table := e.kv(1)
	for _, write := range []struct {
		text string
		args []any
	}{
		{e.on(table, InsertKV), []any{2, "new"}},
		{e.on(table, UpdateKV), []any{"changed", 1}},
	} {
		c := e.conn()
		tx, err := c.beginTx(driver.TxOptions{ReadOnly: true})
		if err != nil {
			continue
		}
		if _, err := c.exec(e.ctx(), write.text, write.args...); err == nil {
			e.Errorf("%q in a read-only transaction: wanted an error, found none", write.text)
		}
		if err := tx.Rollback(); err != nil {
			e.Errorf("Rollback of a read-only transaction: wanted no error, found %v", err)
		}
	}
}

// txCancelRollsBack goes through a *sql.DB with one connection, which is opened
// before, so that its own context does not matter.
func txCancelRollsBack(e *env) {
	table := e.kv(0)
	insert := e.on(table, InsertKV)
	db := e.db(1)
	e.Setup(db.PingContext(e.ctx()), "connect")
	for id := 1; id <= 5; id += 2 {
		ctx, cancel := e.cancellable()
		tx, err := db.BeginTx(ctx, nil)
		e.Setup(err, "begin")
		_, err = tx.ExecContext(ctx, insert, id, "cancelled")
		e.Setup(err, "execute %q", insert)
		cancel()
		e.Prompt("using the pool after the context of a transaction ended", func() {
			_, err = db.ExecContext(e.ctx(), insert, id+1, "after")
		})
		if err != nil {
			e.Fatalf("%q after the context of a transaction ended: wanted no error, found %v", insert, err)
		}
		e.wantKV("the context of a transaction ended", table, map[int]string{id: "", id + 1: "after"})
	}
}

func txCloseRollsBack(e *env) {
	table := e.kv(1)
	insert := e.on(table, InsertKV)
	c := e.conn()
	c.began(driver.TxOptions{})
	c.must(insert, 10, "new")
	if err := c.Close(); err != nil {
		e.Logf("closing the connection in a transaction: %v", err)
	}
	e.wantKV("Conn.Close in a transaction", table, map[int]string{10: ""})
	if _, err := e.look().ExecContext(e.ctx(), insert, 10, "other"); err != nil {
		e.Errorf("%q after another connection, which had inserted that row in a transaction, was closed: wanted no error, found %v", insert, err)
	}
}

// txNested does not reset the connection, as the pool would, for that may end
// the transaction. What comes of a connection that the driver gives up is that
// closing it rolls back.
func txNested(e *env) {
	table := e.kv(0)
	insert := e.on(table, InsertKV)
	c := e.conn()
	outer := c.began(driver.TxOptions{})
	c.must(insert, 1, "outer")
	inner, refusal := c.begin(e.ctx(), driver.TxOptions{})
	if refusal == nil {
		e.Errorf("Begin in a transaction: wanted an error, found a transaction")
		_ = inner.Rollback()
	}
	givenUp := errors.Is(refusal, driver.ErrBadConn) || !c.valid()
	err := outer.Rollback()
	switch {
	case givenUp, errors.Is(err, driver.ErrBadConn):
		e.Logf("a second Begin, which returned %v, cost the connection; Rollback returned %v", refusal, err)
		if err := c.Close(); err != nil {
			e.Logf("closing the connection: %v", err)
		}
	case err != nil:
		e.Errorf("Rollback, after a second Begin: wanted no error, found %v", err)
	}
	e.wantKV("Begin, Begin and Rollback", table, map[int]string{1: ""})
}

// txCommitErrorCleans goes through a *sql.DB with one connection, so that the
// driver may clean up in Commit, ResetSession or IsValid, as it likes. What is
// inserted after the failed commit is committed by itself, unless the old
// transaction is still open.
func txCommitErrorCleans(e *env) {
	table := e.table(CreateDeferred)
	db := e.db(1)
	c, err := db.Conn(e.ctx())
	e.Setup(err, "connect")
	if text := e.sql(EnableDeferred); text != "" {
		_, err := c.ExecContext(e.ctx(), text)
		e.Setup(err, "execute %q", text)
	}
	tx, err := c.BeginTx(e.ctx(), nil)
	e.Setup(err, "begin")
	insert := e.on(table, InsertDeferred)
	_, err = tx.ExecContext(e.ctx(), insert, 1)
	e.Setup(err, "execute %q", insert)
	if err := tx.Commit(); err == nil {
		e.Fatalf("Commit after %q: wanted an error, found none", insert)
	}
	if err := c.Close(); err != nil {
		e.Logf("returning the connection: %v", err)
	}
	root, count := e.on(table, InsertRoot), e.on(table, CountDeferred)
	if _, err := db.ExecContext(e.ctx(), root, 2); err != nil {
		e.Fatalf("%q after a failed Commit: wanted no error, found %v", root, err)
	}
	if n := e.number(count); n != 1 {
		e.Errorf("%q from another connection, after a failed Commit and then %q: wanted 1, found %d: the transaction is still open", count, root, n)
	}
}
