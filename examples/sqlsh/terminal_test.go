package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
)

// terminal is a shell on a pseudo-terminal.
type terminal struct {
	t    *testing.T
	tty  *os.File
	done chan error

	mu   sync.Mutex // protects following fields
	text strings.Builder
	seen int // how much of text was asked for
}

func start(t *testing.T, args ...string) *terminal {
	t.Helper()
	cmd := shellCommand(t, args...)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 200})
	require.NoError(t, err)
	term := &terminal{t: t, tty: tty, done: make(chan error, 1)}
	t.Cleanup(func() { tty.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			term.mu.Lock()
			term.text.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				term.done <- cmd.Wait()
				return
			}
		}
	}()
	return term
}

// sees waits until a text comes after what was seen before.
func (term *terminal) sees(text string) {
	term.t.Helper()
	term.seesWhile(text, nil)
}

// seesWhile does something again and again meanwhile, twice a second.
func (term *terminal) seesWhile(text string, do func()) {
	term.t.Helper()
	next := time.Now().Add(time.Second / 2)
	require.Eventually(term.t, func() bool {
		if do != nil && time.Now().After(next) {
			next = time.Now().Add(time.Second / 2)
			do()
		}
		term.mu.Lock()
		defer term.mu.Unlock()
		all := term.text.String()
		i := strings.Index(all[term.seen:], text)
		if i >= 0 {
			term.seen += i + len(text)
		}
		return i >= 0
	}, 30*time.Second, 5*time.Millisecond, "%q did not appear", text)
}

func (term *terminal) types(keys string) {
	term.t.Helper()
	_, err := term.tty.WriteString(keys)
	require.NoError(term.t, err)
}

func (term *terminal) ends() error {
	term.t.Helper()
	select {
	case err := <-term.done:
		return err
	case <-time.After(30 * time.Second):
		require.Fail(term.t, "the shell does not end")
		return nil
	}
}

func TestTerminal(t *testing.T) {
	dir := install(t, map[string]string{"sqlite.so": fixture.SQLite(t)})
	history := filepath.Join(t.TempDir(), "history")
	term := start(t, "--drivers", dir, "--history", history, "sqlite", ":memory:")

	term.sees("sqlsh> ")
	term.types("create table t (n int);\r")
	term.sees("done")
	term.sees("sqlsh> ")
	term.types("select\r")
	term.sees("  ...> ")
	term.types("count(*) as many from t;\r")
	term.sees("│    0 │")
	term.sees("sqlsh> ")

	// An error is no end.
	term.types("select nonsense;\r")
	term.sees("no such column: nonsense")
	term.sees("sqlsh> ")

	// Tab completes a command, arrow up brings back a line.
	term.types("\\dr\t\r")
	term.sees("sqlite.so")
	term.sees("sqlsh> ")
	term.types("\x1b[A\x1b[A\r")
	term.sees("no such column: nonsense")
	term.sees("sqlsh> ")
	term.types("\x04")
	assert.NoError(t, term.ends())

	kept, err := os.ReadFile(history)
	require.NoError(t, err)
	assert.Contains(t, string(kept), "create table t (n int);\nselect\ncount(*) as many from t;\n")
	info, err := os.Stat(history)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	// The next shell has the lines, too.
	term = start(t, "--drivers", dir, "--history", history, "sqlite", ":memory:")
	term.sees("sqlsh> ")
	term.types("\x1b[A\r")
	term.sees("no such column: nonsense")
	term.types(".q\r")
	assert.NoError(t, term.ends())
}

func TestInterrupt(t *testing.T) {
	dir := install(t, map[string]string{"sqlite.so": fixture.SQLite(t)})
	term := start(t, "--drivers", dir, "--history", filepath.Join(t.TempDir(), "history"), "sqlite", ":memory:")
	term.sees("sqlsh> ")
	term.types("create table t (n int);\r")
	term.sees("sqlsh> ")

	// Ctrl-C ends the statement that runs, and not the shell, nor what it keeps
	// in memory.
	term.types("with recursive c(x) as (select 1 union all select x+1 from c) select max(x) from c;\r")
	term.seesWhile("sqlsh: the statement was interrupted", func() { term.types("\x03") })
	term.sees("sqlsh> ")
	term.types("select 'still' || ' here', count(*) from t;\r")
	term.sees("still here")
	term.sees("sqlsh> ")

	// Ctrl-C at the prompt throws away what was entered.
	term.types("select 'thrown away',\r")
	term.sees("  ...> ")
	term.types("\x03")
	term.sees("sqlsh> ")
	term.types("select 'kept' || '!';\r")
	term.sees("kept!")
	term.sees("sqlsh> ")
	term.types("\x04")
	assert.NoError(t, term.ends())
}
