package reference

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
)

// one is a set of a single row.
func one(columns []column, row ...driver.Value) *set {
	return &set{columns: columns, count: 1, row: func(int64) []driver.Value { return row }}
}

// computedColumn is a column that is no table's.
func computedColumn(name string, k kind) column { return column{name: name, kind: k, computed: true} }

func (k *call) schema(ctx context.Context) (*set, error) {
	return &set{}, k.c.write(ctx, func(s *snapshot) (*snapshot, error) {
		t, err := s.table(k.table)
		switch {
		case k.verb == "create" && err == nil:
			return nil, fault("42P07", "there is a table %q", k.table)
		case k.verb == "create":
			key := slices.IndexFunc(k.columns, func(c column) bool { return c.key })
			if key < 0 || k.columns[key].kind != kindInt {
				return nil, fault("42P16", "the table %q has no key of kind int", k.table)
			}
			return s.with(k.table, &table{columns: k.columns, key: key}), nil
		case err != nil:
			return nil, err
		case k.verb == "drop" && k.c.broken("connector/equivalent-conns"):
			k.c.marks.dropped = k.table
			return s, nil
		case k.verb == "drop":
			return s.with(k.table, nil), nil
		}
		return s.with(k.table, t.add(k.columns)), nil
	})
}

// add returns the table with more columns.
func (t *table) add(columns []column) *table {
	next := *t
	next.columns = slices.Concat(t.columns, columns)
	next.rows = make([][]driver.Value, len(t.rows))
	for i, row := range t.rows {
		next.rows[i] = slices.Concat(row, make([]driver.Value, len(columns)))
	}
	return &next
}

func (k *call) insert(ctx context.Context) (*set, error) {
	out := &set{affected: 1, inserted: true}
	err := k.c.write(ctx, func(s *snapshot) (*snapshot, error) {
		t, err := s.table(k.table)
		if err != nil {
			return nil, err
		}
		row, err := k.newRow(t)
		if err != nil {
			return nil, err
		}
		out.last = row[t.key].(int64)
		at, found := t.find(out.last)
		if found {
			k.c.marks.violated = true
			if k.c.tx != nil {
				k.c.tx.marks.failed = true
			}
			return nil, fault("23505", "%s: the key %d exists", k.table, out.last)
		}
		next := *t
		next.rows = slices.Concat(t.rows[:at], [][]driver.Value{row}, t.rows[at:])
		next.last = max(t.last, out.last)
		if k.returning {
			err = k.project(out, &next, [][]driver.Value{row})
		}
		return s.with(k.table, &next), err
	})
	return out, err
}

// newRow makes the row that an insert describes.
func (k *call) newRow(t *table) ([]driver.Value, error) {
	row := make([]driver.Value, len(t.columns))
	for i, col := range t.columns {
		row[i] = col.fallback
	}
	row[t.key] = t.last + 1
	if err := k.assign(t, row); err != nil {
		return nil, err
	}
	return row, nil
}

// assign sets the columns of a row that the statement names.
func (k *call) assign(t *table, row []driver.Value) error {
	for _, b := range k.set {
		i, err := t.column(b.name)
		if err != nil {
			return err
		}
		if row[i], err = k.c.accept(t.columns[i], k.value(b.operand)); err != nil {
			return err
		}
	}
	return nil
}

// matching returns the indexes of the rows that the statement is about.
func (k *call) matching(t *table) ([]int, error) {
	var at []int
	if k.where == nil {
		for i := range t.rows {
			at = append(at, i)
		}
		return at, nil
	}
	i, err := t.column(k.where.name)
	if err != nil {
		return nil, err
	}
	v := k.value(k.where.operand)
	if v == nil {
		return nil, nil
	}
	if v, err = k.c.accept(t.columns[i], v); err != nil {
		return nil, err
	}
	if i == t.key {
		if n, found := t.find(v.(int64)); found {
			at = []int{n}
		}
		return at, nil
	}
	for n, row := range t.rows {
		if compare(row[i], v) == 0 {
			at = append(at, n)
		}
	}
	return at, nil
}

func (k *call) update(ctx context.Context) (*set, error) {
	out := &set{}
	return out, k.c.write(ctx, func(s *snapshot) (*snapshot, error) {
		t, err := s.table(k.table)
		if err != nil {
			return nil, err
		}
		at, err := k.matching(t)
		if err != nil {
			return nil, err
		}
		next := *t
		next.rows = slices.Clone(t.rows)
		for _, i := range at {
			row := slices.Clone(t.rows[i])
			if err := k.assign(t, row); err != nil {
				return nil, err
			}
			if row[t.key] != t.rows[i][t.key] {
				return nil, fault("0A000", "the key of a row does not change")
			}
			next.rows[i] = row
		}
		out.affected = int64(len(at))
		if out.affected > 1 && k.c.broken("result/rows-affected") {
			out.affected = 1
		}
		return s.with(k.table, &next), nil
	})
}

func (k *call) delete(ctx context.Context) (*set, error) {
	out := &set{}
	if k.c.tx != nil {
		k.c.tx.marks.deleted = true
	}
	return out, k.c.write(ctx, func(s *snapshot) (*snapshot, error) {
		t, err := s.table(k.table)
		if err != nil {
			return nil, err
		}
		at, err := k.matching(t)
		if err != nil {
			return nil, err
		}
		next := *t
		next.rows = nil
		for i, row := range t.rows {
			if _, gone := slices.BinarySearch(at, i); !gone {
				next.rows = append(next.rows, row)
			}
		}
		out.affected = int64(len(at))
		return s.with(k.table, &next), nil
	})
}

// project gives a set the columns of a table that the statement names.
func (k *call) project(out *set, t *table, rows [][]driver.Value) error {
	names := k.names
	if len(names) == 0 {
		for _, c := range t.columns {
			names = append(names, c.name)
		}
	}
	index := make([]int, len(names))
	for i, name := range names {
		at, err := t.column(name)
		if err != nil {
			return err
		}
		index[i] = at
		out.columns = append(out.columns, t.columns[at])
	}
	out.count = int64(len(rows))
	out.row = func(i int64) []driver.Value {
		row := make([]driver.Value, len(index))
		for to, from := range index {
			row[to] = rows[i][from]
		}
		return row
	}
	return nil
}

func (k *call) selectRows(context.Context) (*set, error) {
	t, err := k.c.view().table(k.table)
	if err != nil {
		return nil, err
	}
	at, err := k.matching(t)
	if err != nil {
		return nil, err
	}
	rows := make([][]driver.Value, len(at))
	for i, n := range at {
		rows[i] = t.rows[n]
	}
	out := &set{}
	return out, k.project(out, t, rows)
}

func (k *call) countRows(context.Context) (*set, error) {
	t, err := k.c.view().table(k.table)
	if err != nil {
		return nil, err
	}
	return one([]column{computedColumn("count", kindInt)}, int64(len(t.rows))), nil
}

func (k *call) maximum(context.Context) (*set, error) {
	t, err := k.c.view().table(k.table)
	if err != nil {
		return nil, err
	}
	i, err := t.column(k.names[0])
	if err != nil {
		return nil, err
	}
	var most driver.Value
	for _, row := range t.rows {
		if compare(row[i], most) > 0 {
			most = row[i]
		}
	}
	return one([]column{computedColumn("max", t.columns[i].kind)}, most), nil
}

func (k *call) computed(context.Context) (*set, error) {
	out := &set{count: int64(len(k.rows))}
	var rows [][]driver.Value
	for n, bindings := range k.rows {
		var row []driver.Value
		for _, b := range bindings {
			v := k.value(b.operand)
			col := computedColumn(b.name, b.kind)
			if col.kind == "" {
				col.kind = kindOf(v)
			}
			v, err := k.c.accept(col, v)
			if err != nil {
				return nil, err
			}
			row = append(row, v)
			if n == 0 {
				out.columns = append(out.columns, col)
			}
		}
		rows = append(rows, row)
	}
	if k.count >= 0 {
		out.count = min(out.count, k.count)
	}
	out.row = func(i int64) []driver.Value { return rows[i] }
	return out, nil
}

func (k *call) series(context.Context) (*set, error) {
	columns := []column{computedColumn("n", kindInt), computedColumn("s", kindText), computedColumn("x", kindBlob)}
	return &set{columns: columns, count: k.count, then: k.then, row: func(i int64) []driver.Value {
		s := fmt.Sprintf("row-%d", i+1)
		return []driver.Value{i + 1, s, []byte(s)}
	}}, nil
}

// control is begin, commit and rollback.
func (k *call) control(context.Context) (*set, error) {
	tx := k.c.tx
	switch {
	case k.verb == "begin":
		_, err := k.c.begin(driver.TxOptions{})
		return &set{}, err
	case tx == nil:
		return nil, errNoTx
	case k.verb == "commit":
		return &set{}, tx.commit()
	}
	tx.end()
	return &set{}, nil
}

// variable is set and get.
func (k *call) variable(context.Context) (*set, error) {
	if k.verb == "set" {
		if k.c.session == nil {
			k.c.session = map[string]driver.Value{}
		}
		k.c.session[k.set[0].name] = k.value(k.set[0].operand)
		return &set{}, nil
	}
	v, ok := k.c.session[k.names[0]]
	out := one([]column{computedColumn("value", kindOf(v))}, v)
	if !ok {
		out.count = 0
	}
	return out, nil
}

// connection is kill and die.
func (k *call) connection(context.Context) (*set, error) {
	if k.verb == "kill" {
		return &set{}, k.c.db.kill(k.count)
	}
	if err := k.c.db.kill(k.c.id); err != nil {
		return nil, err
	}
	k.c.lost = true
	return nil, errKilled
}
