package sqlite

import (
	"database/sql"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOwnLocks asks, as another copy of SQLite in this process would, whether
// somebody writes. Locks that belonged to the process would not show.
func TestOwnLocks(t *testing.T) {
	const (
		reserved  = 0x40000000 + 1 // of the database file, held by a writer
		walWriter = 120            // of the -shm file, the same in WAL mode
	)
	for _, c := range []struct {
		mode, suffix string
		offset       int64
	}{{"delete", "", reserved}, {"wal", "-shm", walWriter}} {
		t.Run(c.mode, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "test.db")
			connector, err := NewDriver().OpenConnector("file:" + file + "?_journal_mode=" + c.mode + "&_txlock=immediate")
			if err != nil {
				t.Fatal(err)
			}
			db := sql.OpenDB(connector)
			defer db.Close()
			if _, err := db.Exec("CREATE TABLE t (n INTEGER)"); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(file+c.suffix, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			locked := func() bool {
				lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: c.offset, Len: 1}
				if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock); err != nil {
					t.Fatal(err)
				}
				return lock.Type != syscall.F_UNLCK
			}
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if !locked() {
				t.Error("nobody in this process sees that a transaction writes")
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if locked() {
				t.Error("the lock outlives the transaction")
			}
		})
	}
}
