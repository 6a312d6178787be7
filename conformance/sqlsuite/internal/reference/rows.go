package reference

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"time"
)

var (
	_ driver.Rows                           = (*rows)(nil)
	_ driver.RowsNextResultSet              = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

// rows are result sets of which one is being read.
type rows struct {
	c      *conn
	ctx    context.Context // of the query, which bounds the reading as well
	sets   []*set          // the current one and those that follow
	after  error           // of the statement after the last set
	names  []string
	at     int64
	closed bool
	parent *stmt // nil for a text that was not prepared
	marks  rowsMarks
}

func newRows(ctx context.Context, c *conn, sets []*set, after error) *rows {
	if len(sets) > 1 && sets[0].count == 0 && len(sets[0].columns) > 0 && c.broken("rset/empty") {
		sets = sets[1:]
	}
	r := &rows{c: c, ctx: ctx, sets: sets, after: after}
	r.describe()
	r.open()
	if c.broken("ctx/sibling-cursor") {
		c.marks.cursors = append(c.marks.cursors, r)
	}
	return r
}

func (r *rows) describe() {
	r.names = make([]string, len(r.sets[0].columns))
	for i, col := range r.sets[0].columns {
		r.names[i] = col.name
		if slices.Contains(r.names[:i], col.name) && r.c.broken("rows/columns-names") {
			r.names[i] += ":1"
		}
	}
}

// Columns implements [driver.Rows].
func (r *rows) Columns() []string {
	switch {
	case r.sets[0].count == 0 && r.c.broken("rows/empty"):
		return nil
	case r.marks.ended && r.c.broken("rows/columns"):
		return nil
	}
	return r.names
}

// Close implements [driver.Rows].
func (r *rows) Close() error {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if err := r.shut(); err != nil {
		return err
	}
	r.closed = true
	return nil
}

// enter begins a call that needs the database.
func (r *rows) enter() error {
	err := r.c.enter(r.ctx)
	if err == driver.ErrBadConn {
		return errKilled
	}
	for _, other := range r.c.marks.cursors {
		if err == nil && !other.closed && other.ctx.Err() != nil {
			r.c.leave()
			return other.ctx.Err()
		}
	}
	if err == nil && r.closed && !r.c.broken("rows/next-after-close") {
		r.c.leave()
		return errClosed
	}
	return err
}

// Next implements [driver.Rows].
func (r *rows) Next(dest []driver.Value) error {
	if err := r.enter(); err != nil {
		if r.ctx.Err() != nil && r.c.broken("ctx/not-eof") {
			return io.EOF
		}
		return err
	}
	defer r.c.leave()
	r.marks.given, r.c.marks.data.scratch = nil, r.c.marks.data.scratch[:0]
	s := r.sets[0]
	if r.parent != nil && r.parent.closed && r.c.broken("stmt/close-with-open-rows") {
		return io.EOF
	}
	if r.at >= s.count {
		ctx := r.ctx
		if r.c.broken("ctx/cancel-during-next") {
			ctx = context.WithoutCancel(ctx)
		}
		if err := s.finish(ctx, r.c); err != nil {
			if s.then == "fail" && s.count >= 100 && r.c.broken("rows/midstream-error") {
				return io.EOF
			}
			return err
		}
		if r.marks.ended = true; r.c.broken("rows/next-after-eof") {
			r.at = 0
		}
		if s.count == 200 && r.c.broken("rows/eof-exact") {
			return fmt.Errorf("reference: no more rows: %w", io.EOF)
		}
		return io.EOF
	}
	for i, v := range s.row(r.at) {
		dest[i] = r.spoil(i, hand(v))
	}
	r.at++
	return nil
}

// HasNextResultSet implements [driver.RowsNextResultSet].
func (r *rows) HasNextResultSet() bool {
	return !r.closed && (len(r.sets) > 1 || r.after != nil)
}

// NextResultSet implements [driver.RowsNextResultSet].
func (r *rows) NextResultSet() error {
	if err := r.enter(); err != nil {
		return err
	}
	defer r.c.leave()
	switch {
	case len(r.sets) == 1 && r.after != nil && !r.c.broken("rset/error"):
		return r.after
	case len(r.sets) == 1 && r.c.broken("rset/eof"):
		return fault("02000", "there is no further result set")
	case len(r.sets) == 1:
		return io.EOF
	case r.left() > 0 && r.c.broken("rset/advance"):
		return nil
	}
	before := r.names
	r.sets, r.at, r.marks.ended = r.sets[1:], 0, false
	r.describe()
	if r.c.broken("rset/columns-change") {
		copy(r.names, before)
	}
	return nil
}

func (r *rows) column(i int) column { return r.sets[0].columns[i] }

// nullScan are the types that hold a NULL too.
var nullScan = map[kind]reflect.Type{
	kindInt:     reflect.TypeFor[sql.Null[int64]](),
	kindReal:    reflect.TypeFor[sql.Null[float64]](),
	kindBool:    reflect.TypeFor[sql.Null[bool]](),
	kindText:    reflect.TypeFor[sql.Null[string]](),
	kindBlob:    reflect.TypeFor[[]byte](),
	kindTime:    reflect.TypeFor[sql.Null[time.Time]](),
	kindDecimal: reflect.TypeFor[sql.Null[string]](),
}

// ColumnTypeScanType implements [driver.RowsColumnTypeScanType].
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	if r.column(i).kind == kindDecimal && r.c.broken("coltype/scan-type") {
		return nil
	}
	if nullable, known := r.nullable(i); nullable || !known {
		return nullScan[r.column(i).kind]
	}
	return traits[r.column(i).kind].scan
}

// ColumnTypeDatabaseTypeName implements [driver.RowsColumnTypeDatabaseTypeName].
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if r.c.broken("rows/bytes-valid-to-next") {
		r.scribble()
	}
	name := traits[r.column(i).kind].database
	if size := r.column(i).size; size > 0 && r.c.broken("coltype/db-name") {
		name = fmt.Sprintf("%s(%d)", name, size)
	}
	return name
}

// ColumnTypeLength implements [driver.RowsColumnTypeLength].
func (r *rows) ColumnTypeLength(i int) (length int64, ok bool) {
	col := r.column(i)
	if col.computed && r.at == 0 && r.left() > 1 && r.c.broken("coltype/before-next") {
		panic("reference: there is no current row")
	}
	switch {
	case col.kind != kindText && col.kind != kindBlob:
		return 0, false
	case col.size > 0 && !r.c.broken("coltype/length"):
		return col.size, true
	}
	return math.MaxInt64, true
}

// ColumnTypeNullable implements [driver.RowsColumnTypeNullable].
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if r.column(i).computed && r.left() == 0 && r.at == 0 && r.c.broken("coltype/on-empty") {
		panic("reference: there is no current row")
	}
	if r.column(i).notNull && r.c.broken("coltype/nullable") {
		return true, true
	}
	return r.nullable(i)
}

func (r *rows) nullable(i int) (nullable, known bool) {
	col := r.column(i)
	return !col.computed && !col.notNull && !col.key, !col.computed
}

// ColumnTypePrecisionScale implements [driver.RowsColumnTypePrecisionScale].
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	col := r.column(i)
	if col.kind == kindInt && r.c.broken("coltype/decimal") {
		return 19, 0, true
	}
	if col.kind != kindDecimal || col.size == 0 {
		return 0, 0, false
	}
	return col.size, col.scale, true
}
