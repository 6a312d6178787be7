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
	upstream "github.com/mattn/go-sqlite3"
)

// lockMode is how SQLite keeps writers apart in a journal mode: by a lock on one
// byte of a file.
type lockMode struct {
	name, suffix string
	writer       int64
}

const fOFDSetlk = 37 // locks that belong to an open file

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
	return inProcess(t, "TestLockingProcess", fmt.Sprint(offset, " ", file)) == "locked\n"
}

// processVar holds what a process is to do.
const processVar = "KEYWAY_SQLITE3_TEST_PROCESS"

// inProcess runs a test in a process of its own, which lives until this test
// ends, and returns the first line that it prints.
func inProcess(t *testing.T, test, task string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), processVar+"="+task)
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
	return answer
}

// task returns what this process is to do.
func task(t *testing.T) string {
	t.Helper()
	text := os.Getenv(processVar)
	if text == "" {
		t.Skip("it is for a process that another test starts")
	}
	return text
}

// answer prints a line, and waits for the end of the test that reads it.
func answer(line string) {
	fmt.Println(line)
	io.Copy(io.Discard, os.Stdin)
}

func TestLockingProcess(t *testing.T) {
	var offset int64
	var file string
	if _, err := fmt.Sscanf(task(t), "%d %s", &offset, &file); err != nil {
		t.Fatal(err)
	}
	if _, err := lock(t, openFile(t, file), syscall.F_SETLK, syscall.F_WRLCK, offset); err != nil {
		answer("refused")
	} else {
		answer("locked")
	}
}

// TestUsedBefore uses the driver in a program that has a lock by upstream
// already. It must go on to be given back.
func TestUsedBefore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	execute(t, raw(t, file), "CREATE TABLE t (n INTEGER)")
	f := openFile(t, file)
	if got := inProcess(t, "TestUsingProcess", file); got != "rolled back\n" {
		t.Fatal(got)
	}
	if isLocked(t, f, 0x40000000+1) {
		t.Error("the lock outlives the transaction")
	}
}

func TestUsingProcess(t *testing.T) {
	file := task(t)
	before := must[driver.Conn](t)((&upstream.SQLiteDriver{}).Open(file)).(*upstream.SQLiteConn)
	defer before.Close()
	if _, err := before.Exec("BEGIN IMMEDIATE", nil); err != nil {
		t.Fatal(err)
	}
	execute(t, raw(t, file), "SELECT n FROM t")
	if _, err := before.Exec("ROLLBACK", nil); err != nil {
		t.Fatal(err)
	}
	answer("rolled back")
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
	first := raw(t, file)
	execute(t, first, "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)")
	closeAfterUse(t, first) // and with it the open file that could hold write locks
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

// TestReaderEnded refuses to write where a connection that cannot write held a
// lock before. What was held before must not come back.
func TestReaderEnded(t *testing.T) {
	const shared = 0x40000000 + 2
	file := filepath.Join(t.TempDir(), "test.db")
	first := raw(t, file)
	execute(t, first, "CREATE TABLE t (n INTEGER)")
	closeAfterUse(t, first)
	execute(t, raw(t, "file:"+file+"?mode=ro"), "SELECT n FROM t")
	f := openFile(t, file)
	if _, err := lock(t, f, fOFDSetlk, syscall.F_RDLCK, shared); err != nil {
		t.Fatal(err)
	}
	// Its first lock is for writing, when the connection is opened.
	if _, err := connectorFor(t, file+"?_timeout=1&vfs=unix-excl").Connect(background); contract.CodeOf(NewDriver(), err) != contract.LockTimeout {
		t.Errorf("another copy reads, and the driver can write: %v", err)
	}
	if _, err := lock(t, f, fOFDSetlk, syscall.F_UNLCK, shared); err != nil {
		t.Fatal(err)
	}
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
