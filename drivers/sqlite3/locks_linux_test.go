//go:build cgo && !libsqlite3

package sqlite3

import (
	"bufio"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/keyway-go/keyway/contract"
)

// lockMode is how SQLite keeps writers apart in a journal mode: by a lock on one
// byte of a file.
type lockMode struct {
	name, suffix string
	writer       int64
}

var lockModes = []lockMode{
	{"delete", "", 0x40000000 + 1},
	{"wal", "-shm", 120},
}

// inModes runs a test in each journal mode, with a database that has a table and
// a DSN to which parameters can be added. A first connection keeps the files.
func inModes(t *testing.T, test func(t *testing.T, m lockMode, file, dsn string)) {
	for _, m := range lockModes {
		t.Run(m.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "test.db")
			dsn := "file:" + file + "?_timeout=1&_journal_mode=" + m.name
			execute(t, raw(t, dsn), "CREATE TABLE t (n INTEGER)")
			test(t, m, file, dsn)
		})
	}
}

func execute(t *testing.T, c *conn, query string) {
	t.Helper()
	if _, err := c.Exec(query, nil); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// lock calls fcntl for one byte of a file, as another copy of SQLite does.
func lock(t *testing.T, f *os.File, cmd int, kind int16, offset int64) (syscall.Flock_t, error) {
	t.Helper()
	l := syscall.Flock_t{Type: kind, Start: offset, Len: 1}
	err := syscall.FcntlFlock(f.Fd(), cmd, &l)
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(err)
	}
	return l, err
}

// isLocked asks, as another copy of SQLite in this process would, whether
// somebody holds a byte. Locks that belonged to the process would not show.
func isLocked(t *testing.T, f *os.File, offset int64) bool {
	t.Helper()
	l, _ := lock(t, f, syscall.F_GETLK, syscall.F_WRLCK, offset)
	return l.Type != syscall.F_UNLCK
}

func openFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestOwnLocks(t *testing.T) {
	inModes(t, func(t *testing.T, m lockMode, file, dsn string) {
		c, f := raw(t, dsn), openFile(t, file+m.suffix)
		execute(t, c, "BEGIN IMMEDIATE")
		if !isLocked(t, f, m.writer) {
			t.Error("nobody else in this process sees that a transaction writes")
		}
		execute(t, c, "ROLLBACK")
		if isLocked(t, f, m.writer) {
			t.Error("the lock outlives the transaction")
		}
	})
}

// TestLocksOfOthers locks as another copy of SQLite in this process, and as
// another process of which each keeps its locks.
func TestLocksOfOthers(t *testing.T) {
	inModes(t, func(t *testing.T, m lockMode, file, dsn string) {
		const fOFDSetlk = 37
		c, f := raw(t, dsn), openFile(t, file+m.suffix)
		busy := func(who string) {
			t.Helper()
			_, err := c.Exec("BEGIN IMMEDIATE", nil)
			if contract.CodeOf(NewDriver(), err) != contract.LockTimeout {
				t.Errorf("%s writes, and so can the driver: %v", who, err)
			}
		}
		if _, err := lock(t, f, fOFDSetlk, syscall.F_WRLCK, m.writer); err != nil {
			t.Fatal(err)
		}
		busy("another copy")
		if _, err := lock(t, f, fOFDSetlk, syscall.F_UNLCK, m.writer); err != nil {
			t.Fatal(err)
		}
		execute(t, c, "BEGIN IMMEDIATE")
		if _, err := lock(t, f, fOFDSetlk, syscall.F_WRLCK, m.writer); err == nil {
			t.Error("the driver writes, and so can another copy")
		}
		if process(t, f.Name(), m.writer) {
			t.Error("the driver writes, and so can another process")
		}
		execute(t, c, "ROLLBACK")
		if !process(t, f.Name(), m.writer) {
			t.Error("nobody writes, and another process cannot")
		}
		busy("another process")
	})
}

// process lets another process lock a byte, until the test ends, and tells
// whether it could.
func process(t *testing.T, file string, offset int64) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockingProcess$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("KEYWAY_TEST_LOCK=%d %s", offset, file))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	answer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return answer == "locked\n"
}

// TestLockingProcess is not a test but what process starts.
func TestLockingProcess(t *testing.T) {
	var offset int64
	var file string
	if n, _ := fmt.Sscanf(os.Getenv("KEYWAY_TEST_LOCK"), "%d %s", &offset, &file); n != 2 {
		t.Skip("it runs in a process of its own")
	}
	if _, err := lock(t, openFile(t, file), syscall.F_SETLK, syscall.F_WRLCK, offset); err != nil {
		fmt.Println("refused")
		return
	}
	fmt.Println("locked")
	io.Copy(io.Discard, os.Stdin)
}

// TestLocksSurviveClose closes what else is open on a file that is locked.
func TestLocksSurviveClose(t *testing.T) {
	inModes(t, func(t *testing.T, m lockMode, file, dsn string) {
		f := openFile(t, file+m.suffix)
		writer := raw(t, dsn)
		closed := map[string]func(){
			"a connection": func() { closeAfterUse(t, raw(t, dsn)) },
			"a file":       func() { openFile(t, f.Name()).Close() },
		}
		if m.name == "delete" { // the other mode is not possible without locks
			closed["a connection without locks"] = func() { closeAfterUse(t, raw(t, dsn+"&nolock=1")) }
		}
		for name, do := range closed {
			execute(t, writer, "BEGIN IMMEDIATE")
			do()
			if !isLocked(t, f, m.writer) {
				t.Errorf("%s was closed, and the lock of a transaction is gone", name)
			}
			execute(t, writer, "ROLLBACK")
		}
		closeAfterUse(t, writer)
	})
}

func closeAfterUse(t *testing.T, c *conn) {
	t.Helper()
	r, err := c.Query("SELECT count(*) FROM t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Next(make([]driver.Value, 1)), r.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestReaderFirst writes where a connection that cannot write holds a lock
// already.
func TestReaderFirst(t *testing.T) {
	const shared = 0x40000000 + 2
	file := filepath.Join(t.TempDir(), "test.db")
	closeAfter := raw(t, file)
	execute(t, closeAfter, "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)")
	closeAfterUse(t, closeAfter) // and with it the open file that could hold write locks
	f := openFile(t, file)
	reader := raw(t, "file:"+file+"?mode=ro")
	rows, err := reader.Query("SELECT n FROM t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Next(make([]driver.Value, 1)); err != nil {
		t.Fatal(err)
	}
	writer := raw(t, file+"?_timeout=1")
	execute(t, writer, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2)")
	if !isLocked(t, f, shared) {
		t.Error("the reader's lock is gone")
	}
	if _, err := writer.Exec("COMMIT", nil); contract.CodeOf(NewDriver(), err) != contract.LockTimeout {
		t.Errorf("the writer does not wait for the reader: %v", err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, writer, "COMMIT")
	if isLocked(t, f, shared) {
		t.Error("a lock is left")
	}
}

// TestDescriptors opens and closes databases again and again.
func TestDescriptors(t *testing.T) {
	inModes(t, func(t *testing.T, m lockMode, file, dsn string) {
		cycle := func(times int) int {
			for range times {
				closeAfterUse(t, raw(t, dsn))
				own := dsn[:len("file:")] + file + "-other" + dsn[len("file:"+file):]
				c := raw(t, own)
				execute(t, c, "CREATE TABLE IF NOT EXISTS t (n INTEGER)")
				closeAfterUse(t, c)
			}
			fds, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				t.Fatal(err)
			}
			return len(fds)
		}
		before := cycle(2)
		if after := cycle(500); after != before {
			t.Errorf("%d descriptors, and %d after 1000 databases more", before, after)
		}
	})
}
