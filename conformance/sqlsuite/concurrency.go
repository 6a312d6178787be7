package sqlsuite

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/contract"
)

// concurrencyChecks are about many goroutines that share a *sql.DB.
var concurrencyChecks = []check{
	{
		ID: "conc/pool-stress", Level: conformance.Must,
		Rule:   "Many goroutines that read and write through one pool, of one connection or of eight, each find what they wrote.",
		Source: "database/sql, DB: safe for concurrent use by multiple goroutines",
		Run:    with(concPoolStress),
	},
	{
		ID: "conc/shared-stmt", Level: conformance.Must,
		Rule:   "Many goroutines that share a sql.Stmt each get the rows for their own arguments.",
		Source: "database/sql, Stmt: safe for concurrent use by multiple goroutines",
		Run:    with(concSharedStmt),
	},
	{
		ID: "conc/cancel-storm", Level: conformance.Must,
		Rule:   "While contexts of some queries end at any moment, queries on other connections of the pool give their own rows, all of them, and no error.",
		Source: "lib/pq#1001: a cancellation hit a query that was not meant; database/sql, DB: connections are independent",
		Run:    with(concCancelStorm),
	},
}

const crowd = 8 // goroutines, and connections at most

// concPoolStress gives each goroutine a row, so that what they do is
// independent of each other, whatever the isolation.
func concPoolStress(e *env) {
	for _, max := range []int{1, crowd} {
		table := e.kv(0)
		texts := rowTexts{e.on(table, InsertKV), e.on(table, UpdateKV), e.on(table, SelectKV)}
		db := e.db(max)
		var wg sync.WaitGroup
		for id := 1; id <= crowd; id++ {
			wg.Go(func() {
				if err := e.keepRow(db, texts, id); err != nil {
					e.Errorf("%d goroutines, %d connections at most: %v", crowd, max, err)
				}
			})
		}
		wg.Wait()
		if n := e.count(table); n != crowd {
			e.Errorf("%d goroutines, %d connections at most, inserted a row each: wanted %d rows, found %d", crowd, max, crowd, n)
		}
	}
}

type rowTexts struct{ insert, update, query string }

// keepRow writes one row again and again, and reads it each time.
func (e *env) keepRow(db *sql.DB, texts rowTexts, id int) error {
	err := e.patiently(func() error { _, err := db.ExecContext(e.ctx(), texts.insert, id, "new"); return err })
	if err != nil {
		return fmt.Errorf("%q: %w", texts.insert, err)
	}
	for round := range 6 {
		want := fmt.Sprintf("row %d, round %d", id, round)
		err := e.patiently(func() error { return writeOnce(e.ctx(), db, round%3, texts.update, want, id) })
		if err != nil {
			return fmt.Errorf("%q: %w", texts.update, err)
		}
		if round%3 == 2 {
			want = fmt.Sprintf("row %d, round %d", id, round-1) // it was rolled back
		}
		var foundID int
		var found string
		err = e.patiently(func() error { return db.QueryRowContext(e.ctx(), texts.query, id).Scan(&foundID, &found) })
		if err != nil || found != want || foundID != id {
			return fmt.Errorf("%q: wanted %d %q, found %d %q, error %v", texts.query, id, want, foundID, found, err)
		}
	}
	return nil
}

// writeOnce updates a row by itself, in a transaction that is committed, or in
// one that is rolled back.
func writeOnce(ctx context.Context, db *sql.DB, how int, update, v string, id int) error {
	if how == 0 {
		_, err := db.ExecContext(ctx, update, v, id)
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, update, v, id); err != nil {
		return err
	}
	if how == 1 {
		return tx.Commit()
	}
	return tx.Rollback()
}

// patiently calls f again while the database says that others are in the way,
// which any database may do.
func (e *env) patiently(f func() error) error {
	for tries := 1; ; tries++ {
		err := f()
		if err == nil || tries == 50 {
			return err
		}
		switch contract.CodeOf(e.driver, err) {
		case contract.LockTimeout, contract.Deadlock, contract.SerializationFailure:
			time.Sleep(time.Millisecond)
		default:
			return err
		}
	}
}

func concSharedStmt(e *env) {
	table := e.kv(crowd)
	query := e.on(table, SelectKV)
	st, err := e.db(crowd).PrepareContext(e.ctx(), query)
	e.Setup(err, "prepare %q", query)
	defer st.Close()
	var wg sync.WaitGroup
	for id := 1; id <= crowd; id++ {
		wg.Go(func() {
			want := fmt.Sprintf("row-%d", id)
			for range 20 {
				var foundID int
				var found string
				if err := st.QueryRowContext(e.ctx(), id).Scan(&foundID, &found); err != nil || foundID != id || found != want {
					e.Errorf("%q, shared by %d goroutines, with %d: wanted %q, found row %d %q, error %v", query, crowd, id, want, foundID, found, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// concCancelStorm has as many goroutines that are cancelled as others. A query
// that takes long is cancelled when it is going on, others at any moment. All
// connections are open before, so that no context of a Connect ends. Where a
// driver does not know the context of a query, none takes long.
func concCancelStorm(e *env) {
	series, heeds := e.rows(100, Series), e.heeds(false)
	slow := series
	if heeds {
		slow = e.sql(SlowQuery)
	}
	db := e.db(crowd)
	db.SetMaxIdleConns(crowd)
	e.fill(db)
	storm, calm := e.cancellable()
	var ended atomic.Int32 // queries whose context ended
	var victims, others sync.WaitGroup
	for i := range crowd / 2 {
		chance := rand.New(rand.NewPCG(uint64(i), 1))
		victims.Go(func() {
			for storm.Err() == nil {
				text, life := series, time.Duration(chance.IntN(2000))*time.Microsecond
				if heeds && chance.IntN(2) == 0 {
					text, life = slow, e.soon()
				}
				ctx, cancel := context.WithTimeout(e.ctx(), life)
				var v any
				_ = db.QueryRowContext(ctx, text).Scan(&v, &v, &v)
				if ctx.Err() != nil {
					ended.Add(1)
				}
				cancel()
			}
		})
		others.Go(func() {
			for round := 0; round < 20 || ended.Load() < 30 && e.ctx().Err() == nil; round++ {
				if err := e.wholeSeries(db, series, 100); err != nil {
					e.Errorf("%q, while contexts of other queries end: %v", series, err)
					return
				}
			}
		})
	}
	others.Wait()
	calm()
	victims.Wait()
}

// fill opens all connections of a pool.
func (e *env) fill(db *sql.DB) {
	var conns []*sql.Conn
	for range crowd {
		conns = append(conns, e.first(db))
	}
	for _, c := range conns {
		e.Setup(c.Close(), "return a connection to the pool")
	}
}

// wholeSeries reads n rows of Series and compares them.
func (e *env) wholeSeries(db *sql.DB, text string, n int) error {
	rows, err := db.QueryContext(e.ctx(), text)
	if err != nil {
		return err
	}
	defer rows.Close()
	for i := 1; i <= n; i++ {
		var found int
		var s string
		var x []byte
		if !rows.Next() {
			return fmt.Errorf("wanted %d rows, found %d, error %v", n, i-1, rows.Err())
		}
		if err := rows.Scan(&found, &s, &x); err != nil {
			return err
		}
		if want := fmt.Sprintf("row-%d", i); found != i || s != want || string(x) != want {
			return fmt.Errorf("row %d: wanted %d, %q, found %d, %q, %q", i, i, want, found, s, x)
		}
	}
	return rows.Err()
}
