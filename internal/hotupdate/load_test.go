package hotupdate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// read is how many rows there are to read.
const read = 300

// load is what an application does with a database: 16 goroutines that query,
// write, read cursors to the half and keep sessions. It checks what it gets, and
// counts what it wrote.
type load struct {
	db    *sql.DB
	point *sql.Stmt // used by several goroutines at once
	args  func(text string) string

	ctx     context.Context
	stop    context.CancelFunc
	wg      sync.WaitGroup
	calls   atomic.Int64
	written [4]atomic.Int64 // by the writers

	mu     sync.Mutex // protects following fields
	faults []error
}

// newLoad makes the tables. numbered tells that placeholders are $1, $2 and so
// on.
func newLoad(t *testing.T, db *sql.DB, numbered bool) *load {
	t.Helper()
	l := &load{db: db, args: func(text string) string { return text }}
	if numbered {
		l.args = func(text string) string {
			parts := strings.Split(text, "?")
			for i := range parts[1:] {
				parts[i] += fmt.Sprintf("$%d", i+1)
			}
			return strings.Join(parts, "")
		}
	}
	for _, text := range []string{
		`CREATE TABLE written (writer INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (writer, n))`,
		`CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)`,
		fmt.Sprintf(`WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
			INSERT INTO stock SELECT i, i * 7 FROM c`, read),
	} {
		_, err := db.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	var err error
	l.point, err = db.PrepareContext(t.Context(), l.args(`SELECT n FROM stock WHERE id = ?`))
	require.NoError(t, err)
	return l
}

// begin starts the goroutines.
func (l *load) begin(t *testing.T) {
	l.ctx, l.stop = context.WithCancel(t.Context())
	for writer := range len(l.written) {
		l.repeat("write", func(i int) error { return l.write(writer, i) })
	}
	for range 4 {
		l.repeat("query", l.query)
	}
	for range 3 {
		l.repeat("prepared", l.prepared)
	}
	for range 3 {
		l.repeat("cursor", l.cursor)
	}
	for range 2 {
		l.repeat("session", l.session)
	}
}

// end waits until all goroutines have come to the end of what they do, and
// checks that nothing failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.faults)
}

// failed tells whether something has failed by now.
func (l *load) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.faults) > 0
}

// repeat does a job again and again, until the load ends or something fails.
// What the job does is not cancelled.
func (l *load) repeat(name string, job func(i int) error) {
	l.wg.Go(func() {
		for i := 0; l.ctx.Err() == nil && !l.failed(); i++ {
			if err := job(i); err != nil {
				l.mu.Lock()
				l.faults = append(l.faults, fmt.Errorf("%s: %w", name, err))
				l.mu.Unlock()
			}
			l.calls.Add(1)
			time.Sleep(time.Millisecond)
		}
	})
}

func wantNumber(id, n int) error {
	if n != id*7 {
		return fmt.Errorf("row %d holds %d, want %d", id, n, id*7)
	}
	return nil
}

func (l *load) query(i int) error {
	id, n := i%read+1, 0
	if err := l.db.QueryRow(l.args(`SELECT n FROM stock WHERE id = ?`), id).Scan(&n); err != nil {
		return err
	}
	return wantNumber(id, n)
}

func (l *load) prepared(i int) error {
	id, n := i%read+1, 0
	if err := l.point.QueryRow(id).Scan(&n); err != nil {
		return err
	}
	return wantNumber(id, n)
}

// cursor reads all rows, or every other time some of them, with time for an
// update in between.
func (l *load) cursor(i int) error {
	rows, err := l.db.Query(`SELECT id, n FROM stock ORDER BY id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	seen := 0
	for ; rows.Next(); seen++ {
		var id, n int
		if err := errors.Join(rows.Scan(&id, &n), wantNumber(seen+1, n)); err != nil {
			return err
		}
		if seen == read/3 {
			time.Sleep(5 * time.Millisecond)
			if i%2 == 1 {
				return rows.Close()
			}
		}
	}
	if seen != read && rows.Err() == nil {
		return fmt.Errorf("%d rows, want %d", seen, read)
	}
	return rows.Err()
}

// write inserts the next row of a writer, in one of several ways.
func (l *load) write(writer, i int) error {
	insert := l.args(`INSERT INTO written (writer, n) VALUES (?, ?)`)
	next := l.written[writer].Load() + 1
	if i%3 == 0 {
		if _, err := l.db.Exec(insert, writer, next); err != nil {
			return err
		}
		l.written[writer].Store(next)
		return nil
	}
	tx, err := l.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for n := next; n < next+2; n++ {
		if _, err := tx.Exec(insert, writer, n); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	var n int
	if err := tx.Stmt(l.point).QueryRow(1).Scan(&n); err != nil {
		return err
	}
	if i%3 == 1 {
		return tx.Rollback() // what is not there is not missed
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	l.written[writer].Store(next + 1)
	return nil
}

// session keeps a connection for a while, and finds on it what it left there.
func (l *load) session(i int) error {
	ctx := context.Background()
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `CREATE TEMPORARY TABLE mine (n INTEGER)`); err != nil {
		return err
	}
	for n := range 3 {
		if _, err := conn.ExecContext(ctx, l.args(`INSERT INTO mine (n) VALUES (?)`), n); err != nil {
			return err
		}
		time.Sleep(3 * time.Millisecond)
	}
	var found int
	if err := conn.QueryRowContext(ctx, `SELECT count(*) FROM mine`).Scan(&found); err != nil {
		return err
	}
	if found != 3 {
		return fmt.Errorf("%d rows in the session's table, want 3", found)
	}
	_, err = conn.ExecContext(ctx, `DROP TABLE mine`)
	return err
}

// nothingLost checks that the tables hold what was written, and nothing else.
func (l *load) nothingLost(t *testing.T) {
	t.Helper()
	for writer := range l.written {
		var count, highest int64
		require.NoError(t, l.db.QueryRowContext(t.Context(), l.args(`SELECT count(*), max(n) FROM written WHERE writer = ?`), writer).Scan(&count, &highest))
		want := l.written[writer].Load()
		require.Positive(t, want)
		require.Equal(t, []int64{want, want}, []int64{count, highest}, "rows of writer %d, and the last one", writer)
	}
}
