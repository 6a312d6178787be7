package sqlsuite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/keyway-go/keyway/conformance"
)

// rowsChecks are about driver.Rows.
var rowsChecks = []check{
	{
		ID: "rows/eof-exact", Level: conformance.Must,
		Rule:   "Next ends with io.EOF itself, never wrapped.",
		Source: "database/sql/driver, Rows.Next; database/sql compares with ==",
		Run:    with(rowsEOFExact),
	},
	{
		ID: "rows/midstream-error", Level: conformance.Must,
		Rule:   "An error of the database in the middle of the rows is an error of the query or of Next, never io.EOF: rows that are missing are not passed over in silence.",
		Source: "database/sql, Rows.Err: io.EOF alone is not an error; databricks/databricks-sql-go#254",
		Run:    with(rowsMidstreamError),
	},
	{
		ID: "rows/next-after-eof", Level: conformance.Should,
		Rule:   "After io.EOF every further Next is io.EOF again; the rows do not start anew.",
		Source: "database/sql/driver, Rows.Next: io.EOF when there are no more rows",
		Run:    with(rowsNextAfterEOF),
	},
	{
		ID: "rows/next-after-close", Level: conformance.Should,
		Rule:   "Next after Close returns an error, or io.EOF; it gives no row and does not panic.",
		Source: "database/sql/driver, Rows.Close; the sql contract: after Close every other method returns an error",
		Run:    with(rowsNextAfterClose),
	},
	{
		ID: "rows/empty", Level: conformance.Must,
		Rule:   "Rows of which there are none have their Columns all the same, before the first Next.",
		Source: "database/sql/driver, Rows.Columns",
		Run:    with(rowsEmpty),
	},
	{
		ID: "rows/columns", Level: conformance.Must,
		Rule:   "Columns says the same from before the first row until after the last, and may be called while the connection is at work for another statement.",
		Source: "database/sql, Rows.scanLocked calls Columns without the lock of the connection",
		Run:    with(rowsColumns),
	},
	{
		ID: "rows/columns-names", Level: conformance.Should,
		Rule:   "Columns gives the names of the query as they are, aliases with their spelling and a name as often as it is there.",
		Source: "database/sql/driver, Rows.Columns",
		Run:    with(rowsColumnsNames),
	},
	{
		ID: "rows/value-types", Level: conformance.Must,
		Rule:   "Next gives only values of the types of driver.Value: int64, float64, bool, []byte, string, time.Time, nil, or Rows; or of a type that the driver's own NamedValueChecker takes as it is.",
		Source: "database/sql/driver, Value: or a type handled by a database driver's NamedValueChecker; Rows.Next; database/sql does not notice another type, the users of Scan into an interface do",
		Run:    with(rowsValueTypes),
	},
	{
		ID: "rows/bytes-valid-to-next", Level: conformance.Must,
		Rule:   "Bytes that Next gave stay as they are until the next call of Next or Close, whatever else the Rows are asked.",
		Source: "database/sql/driver, Rows.Next: dest is not to be written to outside of Next; sql.RawBytes",
		Run:    with(rowsBytesValidToNext),
	},
	{
		ID: "rows/bytes-survive-close", Level: conformance.Must,
		Rule:   "Close does not change or free the bytes that the last Next gave: they may be in use while Close runs.",
		Source: "database/sql/driver, Rows.Next: take care when closing Rows not to modify a buffer held in dest; go-sql-driver/mysql#943, lib/pq#726",
		Run:    with(rowsBytesSurviveClose),
	},
	{
		ID: "rows/bytes-two-cursors", Level: conformance.Must,
		Rule:   "Bytes that Next gave are not changed by other Rows, of the same connection or of another.",
		Source: "database/sql/driver, Rows.Next; golang/go#74831",
		Run:    with(rowsBytesTwoCursors),
	},
	{
		ID: "rows/close-other-goroutine", Level: conformance.Must,
		Rule:   "Rows are read and closed by any goroutine and on any thread, one at a time.",
		Source: "database/sql, Rows.awaitDone closes rows in a goroutine of its own",
		Run:    with(rowsCloseOtherGoroutine),
	},
	{
		ID: "rows/close-early", Level: conformance.Must,
		Rule:   "After Close, with most rows unread, the connection is ready for the next statement, and that one gets its own rows.",
		Source: "database/sql, Rows.Close gives the connection back to the pool at once",
		Run:    with(rowsCloseEarly),
	},
	{
		ID: "rows/close-twice", Level: conformance.Should,
		Rule:   "A second Close of rows does nothing, above all not to other rows that were opened since.",
		Source: "the sql contract: Close may be called more than once; mattn/go-sqlite3#3",
		Run:    with(rowsCloseTwice),
	},
	{
		ID: "rows/interleaved", Level: conformance.Must,
		Rule:   "Two Rows of one connection that are read in turn each give all of their own rows, or the second query is refused; a connection that the pool keeps works afterwards.",
		Source: "database/sql, sql.Conn and sql.Tx let a query begin while rows are open; lib/pq#142, #635",
		Run:    with(rowsInterleaved),
	},
	{
		ID: "rows/nil-on-error", Level: conformance.Should,
		Rule:   "A call that fails does not return a nil pointer in an interface beside the error.",
		Source: "Go: an interface that holds a nil pointer is not nil; ClickHouse/clickhouse-go#1738",
		Run:    with(rowsNilOnError),
	},
}

func rowsEOFExact(e *env) {
	c := e.conn()
	for _, n := range []int{0, 1, 200} {
		text := e.rows(n, Series)
		for _, w := range c.ways() {
			cur, err := w.query(e.ctx(), text)
			e.Setup(err, "query %q", text)
			rows, err := cur.rest()
			switch {
			case errors.Is(err, io.EOF):
				e.Errorf("%s %q: after the last row wanted io.EOF itself, found it wrapped in %T: %v", w.name, text, err, err)
			case err != nil:
				e.Errorf("%s %q: after %d rows wanted io.EOF, found %v", w.name, text, len(rows), err)
			case len(rows) != n:
				e.Errorf("%s %q: wanted %d rows, found %d", w.name, text, n, len(rows))
			}
			e.Setup(cur.Close(), "close the rows of %q", text)
		}
	}
}

// rowsMidstreamError accepts fewer rows than there are before the error: a
// driver may fetch many at a time.
func rowsMidstreamError(e *env) {
	e.eachWay(func(c *conn, w way) {
		for _, n := range []int{1, 3, 200} {
			text := e.rows(n, SeriesThenFail)
			cur, err := w.query(e.ctx(), text)
			if err == nil {
				var rows [][]driver.Value
				if rows, err = cur.rest(); err == nil {
					e.Errorf("%s %q, which fails after %d rows: wanted an error other than io.EOF, found io.EOF after %d rows", w.name, text, n, len(rows))
				}
				e.wantPrefix(fmt.Sprintf("%s %q", w.name, text), rows, err, series(1, n)...)
				if err := cur.Close(); err != nil {
					e.Logf("closing rows that failed: %v", err)
				}
			}
			e.works(c, fmt.Sprintf("after %s %q", w.name, text))
		}
	})
	db, text := e.db(1), e.rows(3, SeriesThenFail)
	rows, err := db.QueryContext(e.ctx(), text)
	if err != nil {
		return
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if rows.Err() == nil {
		e.Errorf("sql.Rows of %q, which fails after 3 rows: wanted an error of Rows.Err, found none after %d rows", text, n)
	}
}

func rowsNextAfterEOF(e *env) {
	table := e.kv(2)
	e.eachWay(func(c *conn, w way) {
		for _, text := range []string{e.rows(0, Series), e.rows(3, Series), e.on(table, SelectAll)} {
			cur, err := w.query(e.ctx(), text)
			e.Setup(err, "query %q", text)
			_, err = cur.rest()
			e.Setup(err, "read %q to its end", text)
			e.promptly("Next after io.EOF", func() error {
				for range 3 {
					if row, err := cur.next(); err != io.EOF {
						e.Errorf("%s %q: Next after io.EOF: wanted io.EOF, found %s and %s", w.name, text, listed(lines([][]driver.Value{row})), told(err))
						return err
					}
				}
				return nil
			})
			e.Setup(cur.Close(), "close the rows of %q", text)
		}
	})
}

// rowsNextAfterClose opens other rows before it calls Next, as what was freed
// by Close is then in use again.
func rowsNextAfterClose(e *env) {
	table := e.kv(3)
	e.eachWay(func(c *conn, w way) {
		text := e.on(table, SelectAll)
		cur, err := w.query(e.ctx(), text)
		e.Setup(err, "query %q", text)
		_, err = cur.next()
		e.Setup(err, "read the first row of %q", text)
		dest := make([]driver.Value, len(cur.Columns()))
		e.Setup(cur.Close(), "close the rows of %q", text)
		other, err := w.query(e.ctx(), text)
		e.Setup(err, "query %q again", text)
		e.promptly("Next after Close", func() error {
			err := cur.Next(dest)
			if err == nil {
				e.Errorf("%s %q: Next after Close: wanted an error, found the row %s", w.name, text, listed(lines([][]driver.Value{dest})))
			}
			return err
		})
		var rows [][]driver.Value
		e.promptly("reading other rows", func() error { rows, err = other.rest(); return err })
		e.wantRows(fmt.Sprintf("%s %q, after Next of other rows that were closed", w.name, text), rows, err, "1|row-1", "2|row-2", "3|row-3")
		e.Setup(other.Close(), "close the rows of %q", text)
	})
}

func rowsEmpty(e *env) {
	table := e.table(CreateKV)
	e.eachWay(func(c *conn, w way) {
		for text, want := range map[string][]string{
			e.on(table, SelectAll): {"id", "v"}, e.rows(0, Series): {"n", "s", "x"},
		} {
			cur, err := w.query(e.ctx(), text)
			e.Setup(err, "query %q", text)
			if got := cur.Columns(); !sameNames(got, want) {
				e.Errorf("%s %q, without rows: wanted the columns %q, found %q", w.name, text, want, got)
			}
			if err := cur.Next(make([]driver.Value, len(want))); err != io.EOF {
				e.Errorf("%s %q, without rows: wanted io.EOF of the first Next, found %s", w.name, text, told(err))
			}
			e.Setup(cur.Close(), "close the rows of %q", text)
		}
	})
}
