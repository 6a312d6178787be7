package sqlsuite

import (
	"database/sql/driver"
	"fmt"

	"github.com/keyway-go/keyway/conformance"
)

// apiChecks are about what every method has in common.
var apiChecks = []check{
	{
		ID: "api/no-nil-nil", Level: conformance.Must,
		Rule:   "A method that returns no error returns something to work with: never a nil Result, Rows, Stmt or Tx beside a nil error, whatever the statement.",
		Source: "database/sql calls the methods of what it got unless there was an error: ctxDriverPrepare, Rows.Next, driverResult.RowsAffected",
		Run:    with(apiNoNilNil),
	},
}

// apiNoNilNil tries statements that have no result or no rows. That there is a
// statement and that there are rows, the methods of conn see to. What has no
// statement at all is not prepared: see stmt/empty-or-comment.
func apiNoNilNil(e *env) {
	table := e.table(CreateKV)
	c := e.conn()
	for _, text := range []string{
		e.on(table, AddColumn), e.on(table, SelectAll), e.on(table, DeleteAll),
	} {
		for _, w := range c.ways() {
			res, err := w.exec(e.ctx(), text)
			e.wantSomething(fmt.Sprintf("%s, executing %q", w.name, text), res, err)
			if cur, err := w.query(e.ctx(), text); err == nil {
				e.Setup(cur.Close(), "close the rows of %q", text)
			}
		}
	}
	for _, text := range []string{e.sql(Empty), e.sql(Comment)} {
		res, err := c.exec(e.ctx(), text)
		e.wantSomething(fmt.Sprintf("executing %q", text), res, err)
		if cur, err := c.query(e.ctx(), text); err == nil {
			e.Setup(cur.Close(), "close the rows of %q", text)
		}
	}
	tx, err := c.begin(e.ctx(), driver.TxOptions{})
	e.wantSomething("beginning a transaction", tx, err)
	if err == nil && tx != nil {
		e.Setup(tx.Rollback(), "roll back")
	}
}

func (e *env) wantSomething(what string, found any, err error) {
	if found == nil && err == nil {
		e.Errorf("%s: wanted a value or an error, found nil and no error", what)
	}
}

// safely calls f, and makes its panic a failure of the check and an error.
func (e *env) safely(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			e.Errorf("%s: wanted no panic, found %v", what, v)
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return f()
}

// promptly is safely for what may hang as well as panic, such as a call on
// something that was freed. A hang ends the check.
func (e *env) promptly(what string, f func() error) (err error) {
	e.Prompt(what, func() { err = e.safely(what, f) })
	return err
}
