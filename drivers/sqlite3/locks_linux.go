//go:build cgo && !libsqlite3

package sqlite3

// void keyway_sqlite3_own_locks(void);
import "C"

import "sync"

// ownLocks makes the locks on database files this copy of SQLite's own. Locks of
// the usual kind belong to the process: two copies of SQLite in one, such as two
// versions of this driver, do not see each other's, and write a database at the
// same time until it is malformed. So SQLite is given system calls that lock a
// file by an open file of this copy's own, if nobody has used SQLite before and
// may hold other locks. Between processes nothing changes; both kinds exclude
// each other.
//
// It is done once, before the first database is opened.
var ownLocks = sync.OnceFunc(func() { C.keyway_sqlite3_own_locks() })
