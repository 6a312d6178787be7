package sqlsuite

import (
	"context"

	"github.com/keyway-go/keyway/conformance"
)

// leakChecks are about what is left behind, over many rounds.
var leakChecks = []check{
	{
		ID: "leak/goroutines", Level: conformance.Must,
		Rule:   "Opening, using and closing databases again and again leaves no goroutines behind.",
		Source: "database/sql/driver, Conn.Close; lib/pq#617: goroutines that watched contexts stayed behind",
		Run:    with(leakGoroutines),
	},
	{
		ID: "leak/fds", Level: conformance.Must,
		Rule:   "Opening, using and closing databases again and again leaves no file descriptors open.",
		Source: "database/sql/driver, Conn.Close: the connection is no longer in use; database/sql, DB.Close",
		Run:    with(leakFDs),
	},
}

func leakGoroutines(e *env) {
	table := e.kv(3)
	e.noLeak("goroutines", goroutines, func() { e.session(table) })
}

func leakFDs(e *env) {
	table := e.kv(3)
	e.noLeak("open file descriptors", e.descriptors, func() { e.session(table) })
}

// session is an ordinary use of a database from its opening to its end: a
// connector of its own, a statement, rows that are read half, a transaction
// that is committed and one that is rolled back, a context that ends, an
// error.
func (e *env) session(table string) {
	ctx, cancel := context.WithCancel(e.ctx())
	defer cancel()
	db := e.openDB()
	defer db.Close()
	st, err := db.PrepareContext(ctx, e.on(table, SelectAll))
	e.Setup(err, "prepare")
	defer st.Close()
	rows, err := st.QueryContext(ctx)
	e.Setup(err, "query")
	rows.Next()
	e.Setup(rows.Close(), "close rows")
	for _, commit := range []bool{true, false} {
		tx, err := db.BeginTx(ctx, nil)
		e.Setup(err, "begin")
		_, err = tx.ExecContext(ctx, e.on(table, UpdateAll), "new")
		e.Setup(err, "update")
		if commit {
			e.Setup(tx.Commit(), "commit")
		} else {
			e.Setup(tx.Rollback(), "roll back")
		}
	}
	if _, err := db.ExecContext(ctx, e.sql(BadSyntax)); err == nil {
		e.Fatalf("%q: wanted an error, found none", e.sql(BadSyntax))
	}
}
