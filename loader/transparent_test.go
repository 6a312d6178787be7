package loader

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
)

// The wrapper around a connection must not be noticed. Each kind of connection
// goes through the same calls of database/sql twice, once with the wrapper; what
// the driver was asked and what the caller got must be equal.

// diary is what the driver was asked, in order.
type diary struct {
	meanwhile func() // called in Prepare and Begin, or nil

	mu    sync.Mutex // protects following fields
	lines []string
}

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// plainConn has only what every connection has. The others embed it with a mixin.
type plainConn struct {
	*diary
	stmt func(*diary) driver.Stmt
}

func (c plainConn) Prepare(q string) (driver.Stmt, error) {
	c.add("Prepare %s", q)
	if c.meanwhile != nil {
		c.meanwhile()
	}
	return c.stmt(c.diary), nil
}
func (c plainConn) Close() error { c.add("Close"); return nil }
func (c plainConn) Begin() (driver.Tx, error) {
	c.add("Begin")
	if c.meanwhile != nil {
		c.meanwhile()
	}
	return fakeTx{c.diary}, nil
}

type fakeTx struct{ *diary }

func (t fakeTx) Commit() error   { t.add("Commit"); return nil }
func (t fakeTx) Rollback() error { t.add("Rollback"); return nil }

// Mixins: an optional interface each.
type (
	pings      struct{ d *diary }
	execs      struct{ d *diary }
	execsCtx   struct{ d *diary }
	queries    struct{ d *diary }
	queriesCtx struct{ d *diary }
	prepares   struct {
		d    *diary
		stmt func(*diary) driver.Stmt
	}
	begins    struct{ d *diary }
	resets    struct{ d *diary }
	validates struct{ d *diary }
	checks    struct{ d *diary }
)

var errOf = map[string]error{"skip": driver.ErrSkip, "bad": driver.ErrBadConn, "fail": errors.New("the driver's own")}

func (m pings) Ping(ctx context.Context) error { m.d.add("Ping %v", ctx.Err()); return errOf["fail"] }
func (m execs) Exec(q string, args []driver.Value) (driver.Result, error) {
	m.d.add("Exec %s %v", q, args)
	return driver.RowsAffected(7), errOf[q]
}
func (m execsCtx) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	m.d.add("ExecContext %s %v %v", q, args, ctx.Err())
	return driver.RowsAffected(8), errOf[q]
}
func (m queries) Query(q string, args []driver.Value) (driver.Rows, error) {
	m.d.add("Query %s %v", q, args)
	return &fakeRows{diary: m.d}, errOf[q]
}
func (m queriesCtx) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	m.d.add("QueryContext %s %v %v", q, args, ctx.Err())
	return &fakeRows{diary: m.d}, errOf[q]
}
func (m prepares) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	m.d.add("PrepareContext %s %v", q, ctx.Err())
	return m.stmt(m.d), nil
}
func (m begins) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	m.d.add("BeginTx %v %v", o, ctx.Err())
	return fakeTx{m.d}, nil
}
func (m resets) ResetSession(context.Context) error { m.d.add("ResetSession"); return nil }
func (m validates) IsValid() bool                   { m.d.add("IsValid"); return true }
func (m checks) CheckNamedValue(nv *driver.NamedValue) error {
	m.d.add("Conn.CheckNamedValue %v", *nv)
	switch v := nv.Value.(type) {
	case odd:
		nv.Value = "odd by the connection"
		return nil
	case string:
		if v == "drop" {
			return driver.ErrRemoveArgument
		}
	}
	return driver.ErrSkip
}

// odd is a type that only converters know.
type odd struct{}

// plainStmt has only what every statement has.
type plainStmt struct{ *diary }

func (s plainStmt) Close() error  { s.add("Stmt.Close"); return nil }
func (s plainStmt) NumInput() int { return -1 }
func (s plainStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.add("Stmt.Exec %v", args)
	return driver.RowsAffected(9), nil
}
func (s plainStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.add("Stmt.Query %v", args)
	return &fakeRows{diary: s.diary}, nil
}

// richStmt has everything.
type richStmt struct{ plainStmt }

func (s richStmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.add("Stmt.ExecContext %v", args)
	return driver.RowsAffected(10), nil
}
func (s richStmt) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.add("Stmt.QueryContext %v", args)
	return &fakeRows{diary: s.diary}, nil
}
func (s richStmt) CheckNamedValue(nv *driver.NamedValue) error {
	s.add("Stmt.CheckNamedValue %v", *nv)
	return driver.ErrSkip
}
func (s richStmt) ColumnConverter(i int) driver.ValueConverter {
	return convertingStmt{}.ColumnConverter(i)
}

// convertingStmt has a ColumnConverter only.
type convertingStmt struct{ plainStmt }

func (s convertingStmt) ColumnConverter(int) driver.ValueConverter { return oddConverter{} }

type oddConverter struct{}

func (oddConverter) ConvertValue(v any) (driver.Value, error) {
	if _, ok := v.(odd); ok {
		return "odd by the column", nil
	}
	return driver.DefaultParameterConverter.ConvertValue(v)
}

// fakeRows are two sets of one row, with all that rows can tell.
type fakeRows struct {
	*diary
	set, row int
}

func (r *fakeRows) Columns() []string { return []string{fmt.Sprintf("c%d", r.set)} }
func (r *fakeRows) Close() error      { r.add("Rows.Close"); return nil }
func (r *fakeRows) Next(dest []driver.Value) error {
	if r.row++; r.row > 1 {
		return io.EOF
	}
	dest[0] = int64(r.set)
	return nil
}
func (r *fakeRows) HasNextResultSet() bool { return r.set == 0 }
func (r *fakeRows) NextResultSet() error {
	if r.set > 0 {
		return io.EOF
	}
	r.set, r.row = 1, 0
	return nil
}
func (r *fakeRows) ColumnTypeDatabaseTypeName(int) string             { return "ODD" }
func (r *fakeRows) ColumnTypeLength(int) (int64, bool)                { return 12, true }
func (r *fakeRows) ColumnTypeNullable(int) (nullable, ok bool)        { return true, true }
func (r *fakeRows) ColumnTypePrecisionScale(int) (int64, int64, bool) { return 3, 1, true }
func (r *fakeRows) ColumnTypeScanType(int) reflect.Type               { return reflect.TypeFor[odd]() }

type connKind struct {
	name string
	make func(d *diary, stmt func(*diary) driver.Stmt) driver.Conn
}

// connKinds are connections with each optional interface alone, with those that
// depend on each other, with none and with all.
var connKinds = []connKind{
	{"none", func(d *diary, s func(*diary) driver.Stmt) driver.Conn { return plainConn{d, s} }},
	{"Pinger", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			pings
		}{plainConn{d, s}, pings{d}}
	}},
	{"Execer", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			execs
		}{plainConn{d, s}, execs{d}}
	}},
	{"ExecerContext", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			execsCtx
		}{plainConn{d, s}, execsCtx{d}}
	}},
	{"Queryer", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			queries
		}{plainConn{d, s}, queries{d}}
	}},
	{"QueryerContext", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			queriesCtx
		}{plainConn{d, s}, queriesCtx{d}}
	}},
	{"Execer and Queryer", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			execs
			queries
		}{plainConn{d, s}, execs{d}, queries{d}}
	}},
	{"ConnPrepareContext", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			prepares
		}{plainConn{d, s}, prepares{d, s}}
	}},
	{"ConnBeginTx", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			begins
		}{plainConn{d, s}, begins{d}}
	}},
	{"SessionResetter", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			resets
		}{plainConn{d, s}, resets{d}}
	}},
	{"Validator", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			validates
		}{plainConn{d, s}, validates{d}}
	}},
	{"NamedValueChecker", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			checks
		}{plainConn{d, s}, checks{d}}
	}},
	{"NamedValueChecker and ExecerContext", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			checks
			execsCtx
		}{plainConn{d, s}, checks{d}, execsCtx{d}}
	}},
	{"all", func(d *diary, s func(*diary) driver.Stmt) driver.Conn {
		return struct {
			plainConn
			pings
			execsCtx
			queriesCtx
			prepares
			begins
			resets
			validates
			checks
		}{plainConn{d, s}, pings{d}, execsCtx{d}, queriesCtx{d}, prepares{d, s}, begins{d}, resets{d}, validates{d}, checks{d}}
	}},
}

var stmtKinds = map[string]func(*diary) driver.Stmt{
	"plain statements":      func(d *diary) driver.Stmt { return plainStmt{d} },
	"converting statements": func(d *diary) driver.Stmt { return convertingStmt{plainStmt{d}} },
	"rich statements":       func(d *diary) driver.Stmt { return richStmt{plainStmt{d}} },
}

func TestWrapperIsNotNoticed(t *testing.T) {
	for _, kind := range connKinds {
		for name, stmt := range stmtKinds {
			t.Run(kind.name+", "+name, func(t *testing.T) {
				var plain, wrapped diary
				direct := useAsPeopleDo(&plain, fakeConnector{func() driver.Conn { return kind.make(&plain, stmt) }})
				s := followed(t, fakeConnector{func() driver.Conn { return kind.make(&wrapped, stmt) }})
				through := useAsPeopleDo(&wrapped, s)
				require.Equal(t, strings.Join(direct, "\n"), strings.Join(through, "\n"), "what the caller got")
				require.Equal(t, strings.Join(plain.lines, "\n"), strings.Join(wrapped.lines, "\n"), "what the driver was asked")
			})
		}
	}
}

type fakeConnector struct{ connect func() driver.Conn }

func (c fakeConnector) Connect(context.Context) (driver.Conn, error) { return c.connect(), nil }
func (c fakeConnector) Driver() driver.Driver                        { return nil }

// followed returns the connector through which a loader hands out another one.
func followed(t *testing.T, c driver.Connector) driver.Connector {
	t.Helper()
	name := register(t, func() contract.Driver {
		return fakeDriver{open: func(string) (driver.Connector, error) { return c, nil }}
	}, "1.0.0")
	s, err := New(Config{})
	require.NoError(t, err)
	f, err := s.Connector(t.Context(), name, "")
	require.NoError(t, err)
	return f
}

// useAsPeopleDo calls what database/sql offers and notes what came back.
func useAsPeopleDo(d *diary, c driver.Connector) (notes []string) {
	db := sql.OpenDB(c)
	defer db.Close()
	db.SetMaxOpenConns(1) // so that the order of calls is certain
	ctx, done := context.WithCancel(context.Background())
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	defer done()
	note := func(what string, results ...any) { notes = append(notes, fmt.Sprintf("%s: %v", what, results)) }
	exec := func(what string, f func() (sql.Result, error)) {
		r, err := f()
		if err != nil {
			note(what, err)
			return
		}
		n, err := r.RowsAffected()
		note(what, n, err)
	}
	query := func(what string, rows *sql.Rows, err error) {
		if err != nil {
			note(what, err)
			return
		}
		defer rows.Close()
		for more := true; more; more = rows.NextResultSet() {
			columns, err := rows.Columns()
			note(what, columns, err)
			types, err := rows.ColumnTypes()
			note(what, err)
			for _, ct := range types {
				length, hasLength := ct.Length()
				nullable, hasNull := ct.Nullable()
				precision, scale, hasDecimal := ct.DecimalSize()
				note(what, ct.Name(), ct.DatabaseTypeName(), length, hasLength, nullable, hasNull, precision, scale, hasDecimal, ct.ScanType())
			}
			for rows.Next() {
				var v any
				note(what, rows.Scan(&v), v)
			}
		}
		note(what, rows.Err())
	}
	note("ping", db.PingContext(ctx))
	for _, args := range [][]any{nil, {1, "two"}, {sql.Named("n", 3)}, {odd{}}, {"drop", 4}} {
		exec(fmt.Sprint("exec ", args), func() (sql.Result, error) { return db.ExecContext(ctx, "do", args...) })
		rows, err := db.QueryContext(ctx, "ask", args...)
		query(fmt.Sprint("query ", args), rows, err)
	}
	for _, q := range []string{"skip", "fail", "bad"} {
		exec("exec "+q, func() (sql.Result, error) { return db.ExecContext(ctx, q, 5) })
		rows, err := db.QueryContext(ctx, q, 5)
		query("query "+q, rows, err)
	}
	exec("exec cancelled", func() (sql.Result, error) { return db.ExecContext(cancelled, "do") })
	stmt, err := db.PrepareContext(ctx, "prepared")
	note("prepare", err)
	if err == nil {
		exec("stmt", func() (sql.Result, error) { return stmt.ExecContext(ctx, odd{}, 6) })
		rows, err := stmt.QueryContext(ctx, sql.Named("n", 7))
		query("stmt", rows, err)
		note("close", stmt.Close())
	}
	for _, o := range []*sql.TxOptions{nil, {}, {ReadOnly: true}, {Isolation: sql.LevelSerializable}} {
		tx, err := db.BeginTx(ctx, o)
		note("begin", err)
		if err == nil {
			exec("tx", func() (sql.Result, error) { return tx.ExecContext(ctx, "in tx", 8) })
			note("commit", tx.Commit())
		}
	}
	conn, err := db.Conn(ctx)
	note("conn", err)
	if err == nil {
		note("conn ping", conn.PingContext(ctx))
		exec("conn exec cancelled", func() (sql.Result, error) { return conn.ExecContext(cancelled, "do", 1) })
		note("conn close", conn.Close())
	}
	// The context ends while a driver that knows none prepares or begins.
	soon, now := context.WithCancel(ctx)
	d.meanwhile = now
	stmt, err = db.PrepareContext(soon, "prepared")
	note("prepare that ends late", err)
	if err == nil {
		note("close", stmt.Close())
	}
	soon, now2 := context.WithCancel(ctx)
	d.meanwhile = now2
	tx, err := db.BeginTx(soon, nil)
	note("begin that ends late", err)
	if err == nil {
		note("rollback", tx.Rollback())
	}
	now()
	now2()
	return notes
}
