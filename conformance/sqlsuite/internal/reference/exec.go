package reference

import (
	"context"
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
)

// set is the outcome of one statement: rows, or what was changed.
type set struct {
	columns  []column
	count    int64
	row      func(i int64) []driver.Value // the i-th row, from 0
	then     string                       // after the rows: "", "fail" or "wait"
	affected int64
	inserted bool
	last     int64 // id of the inserted row
}

// finish does what comes after the rows.
func (s *set) finish(ctx context.Context, c *conn) error {
	switch s.then {
	case "fail":
		return fault("22003", "the series fails after %d rows", s.count)
	case "wait":
		return c.wait(ctx)
	}
	return nil
}

// call is a statement with its arguments.
type call struct {
	*statement
	c          *conn
	positional []driver.Value
	named      map[string]driver.Value
}

// bind gives the parameters of a script their values: each exactly one.
func (c *conn) bind(s *script, args []driver.NamedValue) (*call, error) {
	k := &call{c: c, named: map[string]driver.Value{}}
	if s.names == nil && c.broken("stmt/arg-count") {
		args = args[:min(len(args), s.params)]
	}
	for i, a := range args {
		if a.Name != "" && i < len(s.names) && c.broken("args/named") {
			a.Name = s.names[i]
		}
		if a.Name == "" {
			k.positional = append(k.positional, a.Value)
		} else {
			k.named[a.Name] = a.Value
		}
	}
	if len(k.positional) != s.params {
		return nil, fault("07001", "the text has %d numbered parameters, but got %d arguments", s.params, len(k.positional))
	}
	if len(args) != s.inputs() || !slices.Equal(slices.Sorted(maps.Keys(k.named)), slices.Sorted(slices.Values(s.names))) {
		return nil, fault("07001", "the text has the named parameters %q, but got others", s.names)
	}
	return k, nil
}

func (k *call) value(o operand) driver.Value {
	switch {
	case o.param > 0:
		return k.positional[o.param-1]
	case o.name != "":
		return k.named[o.name]
	}
	return o.constant
}

// run executes the statements of a script up to the first that fails. The
// error is that one's.
func (c *conn) run(ctx context.Context, s *script, args []driver.NamedValue) ([]*set, error) {
	if c.broken("conn/usable-after-sql-error") && c.marks.violated {
		return nil, fault("25P02", "an earlier statement failed")
	}
	if err := c.haunted(s); err != nil {
		return nil, err
	}
	if err := c.disturbed(s); err != nil {
		return nil, err
	}
	k, err := c.bind(s, args)
	if err != nil {
		return nil, err
	}
	var sets []*set
	for i := range s.statements {
		k.statement = &s.statements[i]
		if err := c.alive(ctx); err != nil {
			return sets, err
		}
		if k.slow {
			if err := c.stall(ctx, k); err != nil {
				return sets, err
			}
		}
		out, err := verbs[k.verb](k, ctx)
		if err != nil {
			return sets, c.misjudge(k, err, len(sets))
		}
		sets = append(sets, out)
	}
	return sets, nil
}

// stall is the time that a slow statement takes.
func (c *conn) stall(ctx context.Context, k *call) error {
	err := c.wait(ctx)
	if k.verb == "insert" && ctx.Err() != nil {
		c.marks.stuck = c.broken("ctx/reuse-after-cancel")
		if c.broken("badconn/not-on-cancel") {
			return errors.Join(err, driver.ErrBadConn)
		}
	}
	return err
}

// exec is run for callers that want no rows: it draws them all.
func (c *conn) exec(ctx context.Context, s *script, args []driver.NamedValue) (driver.Result, error) {
	if len(s.statements) == 2 && s.statements[1].verb == "insert" && c.broken("stmt/multi") {
		s = &script{statements: s.statements[:1], params: s.params}
	}
	sets, err := c.run(ctx, s, args)
	if err != nil {
		return nil, err
	}
	if len(sets) == 0 && c.broken("api/no-nil-nil") {
		return nil, nil
	}
	res := &result{}
	for _, out := range sets {
		if err := out.finish(ctx, c); err != nil && !c.broken("stmt/exec-select") {
			return nil, err
		}
		res.affected += out.affected
		if out.inserted {
			res.inserted, res.last = true, out.last
		}
	}
	return c.blur(s, res), nil
}

// query is run for callers that want rows. An error of the first statement is
// that of the query; a later one comes after the sets before it.
func (c *conn) query(ctx context.Context, s *script, args []driver.NamedValue) (*rows, error) {
	if len(s.statements) == 1 && s.is("insert", false) && !s.statements[0].returning && c.broken("stmt/query-dml") {
		s = &script{params: s.params}
	}
	sets, err := c.run(ctx, s, args)
	if len(sets) == 0 {
		if err != nil {
			return nil, err
		}
		sets = []*set{{}}
	}
	return newRows(ctx, c, sets, err), nil
}

// verbs execute a statement.
var verbs = map[string]func(*call, context.Context) (*set, error){
	"create": (*call).schema, "drop": (*call).schema, "add": (*call).schema,
	"insert": (*call).insert, "update": (*call).update, "delete": (*call).delete,
	"select": (*call).selectRows, "count": (*call).countRows, "max": (*call).maximum,
	"row": (*call).computed, "series": (*call).series,
	"begin": (*call).control, "commit": (*call).control, "rollback": (*call).control,
	"set": (*call).variable, "get": (*call).variable,
	"kill": (*call).connection, "die": (*call).connection,
	"fail": func(*call, context.Context) (*set, error) { return nil, fault("22012", "the statement fails") },
}
