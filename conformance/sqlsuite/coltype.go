package sqlsuite

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/keyway-go/keyway/conformance"
)

// coltypeChecks are about what the column type interfaces of Rows say.
var coltypeChecks = []check{
	{
		ID: "coltype/scan-type", Level: conformance.Must, Gate: "RowsColumnTypeScanType",
		Rule:   "ColumnTypeScanType is never nil, and every value of the column that is not NULL can be scanned into it.",
		Source: "database/sql/driver, RowsColumnTypeScanType; mattn/go-sqlite3#682",
		Run:    with(coltypeScanType),
	},
	{
		ID: "coltype/before-next", Level: conformance.Must, Gate: "any of RowsColumnType...",
		Rule:   "The types of the columns can be asked for before the first Next.",
		Source: "database/sql, Rows.ColumnTypes; mattn/go-sqlite3#1327",
		Run:    with(coltypeBeforeNext),
	},
	{
		ID: "coltype/on-empty", Level: conformance.Must, Gate: "any of RowsColumnType...",
		Rule:   "The types of the columns can be asked for when there are no rows.",
		Source: "database/sql, Rows.ColumnTypes; mattn/go-sqlite3#1327",
		Run:    with(coltypeOnEmpty),
	},
	{
		ID: "coltype/db-name", Level: conformance.Should, Gate: "RowsColumnTypeDatabaseTypeName",
		Rule:   "ColumnTypeDatabaseTypeName is in upper case and without a length: VARCHAR, not varchar(20).",
		Source: "database/sql/driver, RowsColumnTypeDatabaseTypeName",
		Run:    with(coltypeDBName),
	},
	{
		ID: "coltype/length", Level: conformance.Should, Gate: "RowsColumnTypeLength",
		Rule:   "ColumnTypeLength is the declared length of a text or of bytes, math.MaxInt64 if there is none, and not ok for a type of fixed length; the rows do not matter.",
		Source: "database/sql/driver, RowsColumnTypeLength",
		Run:    with(coltypeLength),
	},
	{
		ID: "coltype/nullable", Level: conformance.Should, Gate: "RowsColumnTypeNullable",
		Rule:   "ColumnTypeNullable tells a column that may be NULL from one that may not, and is not ok where it does not know.",
		Source: "database/sql/driver, RowsColumnTypeNullable",
		Run:    with(coltypeNullable),
	},
	{
		ID: "coltype/decimal", Level: conformance.Should, Gate: "RowsColumnTypePrecisionScale",
		Rule:   "ColumnTypePrecisionScale gives precision and scale of a decimal column, and is not ok for any other.",
		Source: "database/sql/driver, RowsColumnTypePrecisionScale",
		Run:    with(coltypeDecimal),
	},
}

// askTypes asks rows for everything that they tell about n columns.
func askTypes(rows driver.Rows, n int) {
	for i := range n {
		if r, ok := rows.(driver.RowsColumnTypeScanType); ok {
			r.ColumnTypeScanType(i)
		}
		if r, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
			r.ColumnTypeDatabaseTypeName(i)
		}
		if r, ok := rows.(driver.RowsColumnTypeLength); ok {
			r.ColumnTypeLength(i)
		}
		if r, ok := rows.(driver.RowsColumnTypeNullable); ok {
			r.ColumnTypeNullable(i)
		}
		if r, ok := rows.(driver.RowsColumnTypePrecisionScale); ok {
			r.ColumnTypePrecisionScale(i)
		}
	}
}

// allTyped are the columns of SelectTypedAll.
var allTyped = append(append([]string{"id"}, sampled()...), "r")

// typeOf asks rows of SelectTypedAll about each column, in each way, at each
// time: before the first row, at each row, and when there are none. The fault
// that ask finds, if it is not empty, is reported once for each column. The
// check is unsupported if the rows are no R.
func typeOf[R driver.Rows](e *env, ask func(rows R, column string, i int) (fault string)) {
	method := strings.TrimPrefix(reflect.TypeFor[R]().Name(), "Rows")
	reported := map[string]bool{}
	full, empty := e.typed(), e.table(CreateTyped)
	e.eachWay(func(c *conn, w way) {
		for _, table := range []string{full, empty} {
			text := e.on(table, SelectTypedAll)
			cur, err := w.query(e.ctx(), text)
			e.Setup(err, "query %q", text)
			rows, ok := cur.Rows.(R)
			if !ok {
				e.Unsupported("the rows, %T, have no %v", cur.Rows, reflect.TypeFor[R]())
			}
			when := "before the first Next"
			if table == empty {
				when = "without rows"
			}
			for n := 1; err == nil; n++ {
				for i, column := range allTyped {
					if fault := ask(rows, column, i); fault != "" && !reported[column] {
						reported[column] = true
						e.Errorf("%s, %s query, column %s, %s: %s", method, w.name, column, when, fault)
					}
				}
				_, err = cur.next()
				when = fmt.Sprintf("at row %d", n)
			}
			e.Setup(cur.Close(), "close the rows of %q", text)
		}
	})
}

// coltypeScanType scans by database/sql, whose conversions count.
func coltypeScanType(e *env) {
	types := map[string][]reflect.Type{}
	typeOf(e, func(r driver.RowsColumnTypeScanType, column string, i int) string {
		t := r.ColumnTypeScanType(i)
		if t == nil {
			return "wanted a type, found nil"
		}
		if !slices.Contains(types[column], t) {
			types[column] = append(types[column], t)
		}
		return ""
	})
	table, db := e.typed(), e.db(1)
	for i, column := range sampled() {
		text := e.sql(SelectTyped, "table", table, "column", column)
		for _, t := range types[column] {
			if err := scanFirst(e, db, text, i+1, reflect.New(t).Interface()); err != nil {
				e.Errorf("column %s, whose ColumnTypeScanType is %v: wanted its value %s scanned into that, found %v", column, t, show(sample[column]), err)
			}
		}
	}
}

// scanFirst scans the first row by sql.Rows, which unlike sql.Row takes a
// sql.RawBytes.
func scanFirst(e *env, db *sql.DB, text string, id int, dest any) error {
	rows, err := db.QueryContext(e.ctx(), text, id)
	e.Setup(err, "query %q", text)
	defer rows.Close()
	if !rows.Next() {
		e.Setup(cmpErr(rows.Err(), sql.ErrNoRows), "read %q", text)
	}
	return rows.Scan(dest)
}

// tellsTypes ends the check as unsupported if rows tell nothing about columns.
func (e *env) tellsTypes(rows driver.Rows) {
	switch rows.(type) {
	case driver.RowsColumnTypeScanType, driver.RowsColumnTypeDatabaseTypeName, driver.RowsColumnTypeLength,
		driver.RowsColumnTypeNullable, driver.RowsColumnTypePrecisionScale:
	default:
		e.Unsupported("the rows, %T, tell nothing about the types of columns", rows)
	}
}

func coltypeBeforeNext(e *env) { e.typesAreSafe(e.typed(), "before the first Next") }

func coltypeOnEmpty(e *env) { e.typesAreSafe(e.table(CreateTyped), "without rows") }

// typesAreSafe asks about a column of a table and about computed ones.
func (e *env) typesAreSafe(table, when string) {
	queries := []string{e.on(table, SelectTypedAll)}
	if when == "without rows" {
		queries = append(queries, e.rows(0, Series))
	} else {
		queries = append(queries, e.rows(2, Series), e.on(table, CountKV))
	}
	e.eachWay(func(c *conn, w way) {
		for _, text := range queries {
			cur, err := w.query(e.ctx(), text)
			e.Setup(err, "query %q", text)
			e.tellsTypes(cur.Rows)
			n := len(cur.Columns())
			e.safely(fmt.Sprintf("asking for the types of %s %q %s", w.name, text, when), func() error { askTypes(cur.Rows, n); return nil })
			_, err = cur.rest()
			if err != nil {
				e.Errorf("%s %q, asked for its types %s: wanted its rows, found %v", w.name, text, when, err)
			}
			e.Setup(cur.Close(), "close the rows of %q", text)
		}
	})
	db := e.db(1)
	rows, err := db.QueryContext(e.ctx(), e.on(table, SelectTypedAll))
	e.Setup(err, "query")
	defer rows.Close()
	e.safely("sql.Rows.ColumnTypes "+when, func() error {
		types, err := rows.ColumnTypes()
		if err != nil || len(types) != len(allTyped) {
			e.Logf("sql.Rows.ColumnTypes: %d types, error %v", len(types), err)
		}
		return err
	})
}

func coltypeDBName(e *env) {
	typeOf(e, func(r driver.RowsColumnTypeDatabaseTypeName, _ string, i int) string {
		name := r.ColumnTypeDatabaseTypeName(i)
		if name != strings.ToUpper(name) || strings.ContainsAny(name, "()") {
			return fmt.Sprintf("wanted a name in upper case without a length, found %q", name)
		}
		return ""
	})
}

func coltypeLength(e *env) {
	want := map[string]int64{"s": math.MaxInt64, "x": math.MaxInt64, "c": 20}
	typeOf(e, func(r driver.RowsColumnTypeLength, column string, i int) string {
		if column == "c" && e.dialect.loose {
			return "" // the database allows more than is declared
		}
		n, ok := r.ColumnTypeLength(i)
		wantN, wantOK := want[column]
		if ok != wantOK || ok && n != wantN {
			return fmt.Sprintf("wanted the length %d, ok %t, found %d, ok %t", wantN, wantOK, n, ok)
		}
		return ""
	})
}

// coltypeNullable passes over the primary key, of which databases say this and
// that.
func coltypeNullable(e *env) {
	typeOf(e, func(r driver.RowsColumnTypeNullable, column string, i int) string {
		nullable, ok := r.ColumnTypeNullable(i)
		if want := column != "r"; ok && nullable != want && column != "id" {
			return fmt.Sprintf("wanted nullable %t, or not ok, found %t, ok", want, nullable)
		}
		return ""
	})
}

func coltypeDecimal(e *env) {
	typeOf(e, func(r driver.RowsColumnTypePrecisionScale, column string, i int) string {
		if column == "d" && e.dialect.loose {
			return "" // the database has no such type
		}
		precision, scale, ok := r.ColumnTypePrecisionScale(i)
		switch {
		case column == "d" && (!ok || precision != 10 || scale != 2):
			return fmt.Sprintf("it is a decimal: wanted 10, 2, ok, found %d, %d, ok %t", precision, scale, ok)
		case column != "d" && ok:
			return fmt.Sprintf("it is no decimal: wanted not ok, found %d, %d, ok", precision, scale)
		}
		return ""
	})
}
