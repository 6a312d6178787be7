package reference

import (
	"cmp"
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"sync"
	"time"
)

// patience is how long a statement waits for the writer token.
const patience = 2 * time.Second

// stores are the databases of the process, by name. They stay, as files would.
var stores = struct {
	mu     sync.Mutex
	byName map[string]*store
}{byName: map[string]*store{}}

func openStore(name string) *store {
	stores.mu.Lock()
	defer stores.mu.Unlock()
	db := stores.byName[name]
	if db == nil {
		db = &store{now: &snapshot{}, writer: make(chan struct{}, 1), conns: map[int64]*conn{}}
		stores.byName[name] = db
	}
	return db
}

// store is a database that connections share.
type store struct {
	writer chan struct{} // holds a token while a transaction writes

	mu    sync.Mutex // protects following fields
	now   *snapshot  // what is committed
	conns map[int64]*conn
	last  int64 // id of the newest connection
	owner *conn // whose transaction writes; nil if none, or for one statement
	marks storeMarks
}

func (db *store) connect(ctor *connector) *conn {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.conns) >= 12 && ctor.broken("connector/concurrent-connect") {
		return db.conns[db.last]
	}
	db.last++
	c := &conn{d: ctor.d, db: db, ctor: ctor, id: db.last, closing: make(chan struct{}), killing: make(chan struct{})}
	db.conns[c.id] = c
	return c
}

func (db *store) disconnect(c *conn) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.conns, c.id)
}

// kill ends a connection from the database's side.
func (db *store) kill(id int64) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	c := db.conns[id]
	if c == nil {
		return fault("22023", "there is no connection %d", id)
	}
	delete(db.conns, id)
	db.releaseLocked(c)
	close(c.killing)
	return nil
}

func (db *store) committed() *snapshot {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.now
}

func (db *store) publish(s *snapshot) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.now = s
}

// lock takes the writer token, for a transaction of owner, or for one statement
// if owner is nil.
func (db *store) lock(ctx context.Context, owner *conn) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case db.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fault("55P03", "another transaction is writing")
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.owner = owner
	return nil
}

// unlock gives back the token that one statement took.
func (db *store) unlock() { <-db.writer }

// commit publishes what a transaction made and gives back its token. It does
// nothing and returns false if the database has rolled it back already.
func (db *store) commit(c *conn, s *snapshot) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.owner != c {
		return false
	}
	db.now = s
	db.releaseLocked(c)
	return true
}

// release gives back the token that a transaction took, if it has it.
func (db *store) release(c *conn) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.releaseLocked(c)
}

func (db *store) releaseLocked(c *conn) {
	if db.owner == c {
		db.owner = nil
		<-db.writer
	}
}

// snapshot is a state of the whole database. It is never changed: a write
// makes another one.
type snapshot struct {
	tables map[string]*table
}

// table has its rows in the order of its key.
type table struct {
	columns []column
	key     int // index of the key column
	rows    [][]driver.Value
	last    int64 // the greatest key that was ever used
}

func (s *snapshot) table(name string) (*table, error) {
	if t := s.tables[name]; t != nil {
		return t, nil
	}
	return nil, fault("42P01", "there is no table %q", name)
}

// with returns the snapshot that has t under a name, or no such table if t is
// nil.
func (s *snapshot) with(name string, t *table) *snapshot {
	tables := maps.Clone(s.tables)
	if tables == nil {
		tables = map[string]*table{}
	}
	tables[name] = t
	if t == nil {
		delete(tables, name)
	}
	return &snapshot{tables}
}

// check enforces what is enforced when a transaction commits: that references
// refer to something.
func (s *snapshot) check() error {
	for name, t := range s.tables {
		for i, col := range t.columns {
			if !col.references {
				continue
			}
			for _, row := range t.rows {
				id, ok := row[i].(int64)
				if _, found := t.find(id); ok && !found {
					return fault("23503", "%s.%s refers to %d, which does not exist", name, col.name, id)
				}
			}
		}
	}
	return nil
}

// find returns where a key is, or where it would be.
func (t *table) find(key int64) (at int, found bool) {
	return slices.BinarySearchFunc(t.rows, key, func(row []driver.Value, key int64) int {
		return cmp.Compare(row[t.key].(int64), key)
	})
}

// column returns the index of a column.
func (t *table) column(name string) (int, error) {
	for i, c := range t.columns {
		if c.name == name {
			return i, nil
		}
	}
	return 0, fault("42703", "there is no column %q", name)
}
