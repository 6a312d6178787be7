package sqlsuite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"sync/atomic"
)

// cursor is the rows of a query. driver.Rows is what the driver returned, to
// be asked for its optional interfaces.
type cursor struct {
	driver.Rows
	text   string
	parent *stmt // closed with the rows, if not nil
	closed atomic.Bool
}

// cursor wraps the rows that the driver returned for a text. They are closed
// after the check unless the check closes them or their connection.
func (c *conn) cursor(rows driver.Rows, text string, err error) (*cursor, error) {
	if err != nil {
		return nil, err
	}
	if rows == nil {
		c.e.Fatalf("%q returned neither rows nor an error", text)
	}
	cur := &cursor{Rows: rows, text: text}
	c.e.Cleanup(func() {
		if !cur.closed.Load() && !c.closed.Load() {
			c.e.release("Rows.Close", cur.Close)
		}
	})
	return cur, nil
}

// Close closes the rows, and the statement that the query needed.
func (c *cursor) Close() error {
	c.closed.Store(true)
	err := c.Rows.Close()
	if c.parent != nil && !c.parent.closed.Load() {
		err = errors.Join(err, c.parent.Close())
	}
	return err
}

// next returns the next row, with copies of its bytes.
func (c *cursor) next() ([]driver.Value, error) {
	dest := make([]driver.Value, len(c.Columns()))
	if err := c.Next(dest); err != nil {
		return nil, err
	}
	for i, v := range dest {
		if b, ok := v.([]byte); ok && b != nil {
			dest[i] = append([]byte{}, b...)
		}
	}
	return dest, nil
}

// rest reads the rows that are left, and stops at the first error other than
// io.EOF. It does not close.
func (c *cursor) rest() ([][]driver.Value, error) {
	var all [][]driver.Value
	for {
		row, err := c.next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, row)
	}
}

// all reads the rows of a query and closes them.
func (c *conn) all(ctx context.Context, text string, args ...any) ([][]driver.Value, error) {
	cur, err := c.query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	rows, err := cur.rest()
	return rows, errors.Join(err, cur.Close())
}

// way is one of the ways in which database/sql lets a driver run a statement.
type way struct {
	name  string
	exec  func(ctx context.Context, text string, args ...any) (driver.Result, error)
	query func(ctx context.Context, text string, args ...any) (*cursor, error)
}

// ways returns those that the connection has: direct, by ExecerContext and
// QueryerContext, and prepared. A rule that binds both is tested on both.
func (c *conn) ways() []way {
	prepared := way{name: "prepared",
		exec: func(ctx context.Context, text string, args ...any) (driver.Result, error) {
			st, err := c.prepare(ctx, text)
			if err != nil {
				return nil, err
			}
			defer st.Close()
			return st.exec(ctx, args...)
		},
		query: func(ctx context.Context, text string, args ...any) (*cursor, error) {
			st, err := c.prepare(ctx, text)
			if err != nil {
				return nil, err
			}
			cur, err := st.query(ctx, args...)
			if err != nil {
				return nil, errors.Join(err, st.Close())
			}
			cur.parent = st
			return cur, nil
		}}
	ways := []way{prepared}
	if c.execer() != nil || c.queryer() != nil {
		ways = slices.Insert(ways, 0, way{"direct", c.exec, c.query})
	}
	return ways
}

// eachWay calls f for each way that the driver has, on a new connection each.
func (e *env) eachWay(f func(c *conn, w way)) {
	c := e.conn()
	n := len(c.ways())
	for i := range n {
		if i > 0 {
			c = e.conn()
		}
		f(c, c.ways()[i])
	}
}
