package sqlsuite

import (
	"database/sql/driver"
	"fmt"
	"io"

	"github.com/keyway-go/keyway/conformance"
)

// rsetChecks are about queries with several result sets.
var rsetChecks = []check{
	{
		ID: "rset/advance", Level: conformance.Must, Gate: "RowsNextResultSet",
		Rule:   "NextResultSet goes to the next result set, over the rows of the current one that are unread.",
		Source: "database/sql/driver, RowsNextResultSet; database/sql, Rows.NextResultSet",
		Run:    with(rsetAdvance),
	},
	{
		ID: "rset/eof", Level: conformance.Must, Gate: "RowsNextResultSet",
		Rule:   "HasNextResultSet is true until the last result set; after that NextResultSet returns io.EOF.",
		Source: "database/sql/driver, RowsNextResultSet",
		Run:    with(rsetEOF),
	},
	{
		ID: "rset/empty", Level: conformance.Must, Gate: "RowsNextResultSet",
		Rule:   "A result set without rows is one nevertheless: it comes in its turn, and those after it too.",
		Source: "database/sql/driver, RowsNextResultSet; database/sql, Rows.Next stops at the end of each set",
		Run:    with(rsetEmpty),
	},
	{
		ID: "rset/columns-change", Level: conformance.Must, Gate: "RowsNextResultSet",
		Rule:   "Columns gives those of the current result set, from NextResultSet on.",
		Source: "database/sql, Rows.Next makes room for as many values as Columns has names, each time",
		Run:    with(rsetColumnsChange),
	},
	{
		ID: "rset/error", Level: conformance.Must, Gate: "RowsNextResultSet",
		Rule:   "An error of the statement after a result set is an error of the query, of NextResultSet or of the Next that follows; it is not io.EOF.",
		Source: "database/sql, Rows.Err; Rows.Next closes rows without HasNextResultSet",
		Run:    with(rsetError),
	},
}

// sets are rows that have NextResultSet.
type sets struct {
	*cursor
	more driver.RowsNextResultSet
	what string
}

// hasSets ends the check as unsupported if rows have no NextResultSet.
func (e *env) hasSets(c *conn) {
	text := e.sql(SelectOne)
	cur, err := c.query(e.ctx(), text)
	e.Setup(err, "query %q", text)
	e.Setup(cur.Close(), "close the rows of %q", text)
	if _, ok := cur.Rows.(driver.RowsNextResultSet); !ok {
		e.Unsupported("the rows, %T, have no NextResultSet", cur.Rows)
	}
}

// eachSets queries a text in each way. A way that refuses several statements in
// one text does not support result sets, and if all do, nor does the driver.
func (e *env) eachSets(q Query, f func(s *sets)) {
	text, tried := e.sql(q), 0
	e.eachWay(func(c *conn, w way) {
		e.hasSets(c)
		cur, err := w.query(e.ctx(), text)
		if err != nil {
			e.Logf("%s %q: %v", w.name, text, err)
			return
		}
		next, ok := cur.Rows.(driver.RowsNextResultSet)
		if !ok {
			e.Fatalf("%s %q: wanted rows with RowsNextResultSet, as those of %q, found a %T", w.name, text, e.sql(SelectOne), cur.Rows)
		}
		tried++
		f(&sets{cur, next, w.name + " " + text})
		e.Setup(cur.Close(), "close the rows of %q", text)
		e.works(c, "after "+w.name+" "+text)
	})
	if tried == 0 {
		e.Unsupported("the driver refuses a text with several result sets")
	}
}

// advance goes to the next set, and reports an error and returns false if that
// does not work.
func (e *env) advance(s *sets) bool {
	if err := s.more.NextResultSet(); err != nil {
		e.Errorf("%s: NextResultSet: wanted the second result set, found %s", s.what, told(err))
		return false
	}
	return true
}

func rsetAdvance(e *env) {
	for read := range 4 {
		e.eachSets(TwoSets, func(s *sets) {
			for range read {
				_, err := s.next()
				e.Setup(err, "read a row of the first set")
			}
			if e.advance(s) {
				rows, err := s.rest()
				e.wantRows(fmt.Sprintf("%s: the second set, with %d of 3 rows of the first read", s.what, read), rows, err, "4|five")
			}
		})
	}
}

func rsetEOF(e *env) {
	e.eachSets(TwoSets, func(s *sets) {
		_, err := s.rest()
		e.Setup(err, "read the first set")
		if !s.more.HasNextResultSet() {
			e.Errorf("%s: HasNextResultSet in the first of two sets: wanted true, found false", s.what)
		}
		if !e.advance(s) {
			return
		}
		_, err = s.rest()
		e.Setup(err, "read the second set")
		if s.more.HasNextResultSet() {
			e.Errorf("%s: HasNextResultSet in the last set: wanted false, found true", s.what)
		}
		if err := s.more.NextResultSet(); err != io.EOF {
			e.Errorf("%s: NextResultSet in the last set: wanted io.EOF, found %s", s.what, told(err))
		}
	})
}

func rsetEmpty(e *env) {
	e.eachSets(EmptySet, func(s *sets) {
		rows, err := s.rest()
		e.wantRows(s.what+": the first set", rows, err)
		if !s.more.HasNextResultSet() {
			e.Errorf("%s: HasNextResultSet in an empty set, with another to come: wanted true, found false", s.what)
		}
		if e.advance(s) {
			rows, err := s.rest()
			e.wantRows(s.what+": the second set", rows, err, "1")
		}
	})
}

func rsetColumnsChange(e *env) {
	e.eachSets(TwoSets, func(s *sets) {
		if got, want := s.Columns(), []string{"a"}; !sameNames(got, want) {
			e.Errorf("%s: wanted the columns %q of the first set, found %q", s.what, want, got)
		}
		_, err := s.rest()
		e.Setup(err, "read the first set")
		if !e.advance(s) {
			return
		}
		if got, want := s.Columns(), []string{"b", "c"}; !sameNames(got, want) {
			e.Errorf("%s: wanted the columns %q of the second set, found %q", s.what, want, got)
		}
	})
}

// rsetError lets the query itself fail: a driver may wait for all results.
func rsetError(e *env) {
	text := e.sql(SetThenFail)
	e.eachWay(func(c *conn, w way) {
		e.hasSets(c)
		cur, err := w.query(e.ctx(), text)
		if err == nil {
			next, ok := cur.Rows.(driver.RowsNextResultSet)
			_, err = cur.rest()
			if err == nil && ok && next.HasNextResultSet() {
				if err = next.NextResultSet(); err == nil {
					_, err = cur.rest()
				}
			}
			if err == nil || err == io.EOF {
				e.Errorf("%s %q, whose second statement fails: wanted its error, found %s", w.name, text, told(err))
			}
			if err := cur.Close(); err != nil {
				e.Logf("closing rows that failed: %v", err)
			}
		}
		e.works(c, "after "+w.name+" "+text)
	})
}
