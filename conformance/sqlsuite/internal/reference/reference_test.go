package reference

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each mutant is asked for somewhere, and nothing else is.
func TestFaultsAreDeclared(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	asked := map[string]bool{}
	for _, f := range files {
		source, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\.broken\("([^"]+)"\)`).FindAllStringSubmatch(string(source), -1) {
			asked[m[1]] = true
		}
	}
	for _, m := range Mutants() {
		assert.True(t, asked[m.ID], "no code asks for the mutant %s", m.ID)
		delete(asked, m.ID)
	}
	assert.Empty(t, asked, "these mutants are not declared")
	assert.Panics(t, func() { Mutant("no/such") })
}

func TestParse(t *testing.T) {
	s, err := parse(`insert T (id = $1, "a ""b""" = :x) returning (id); -- and then
		row (a text = 'it''s') (a = null) limit 1;`)
	require.NoError(t, err)
	require.Len(t, s.statements, 2)
	assert.Equal(t, 2, s.inputs())
	assert.Equal(t, `a "b"`, s.statements[0].set[1].name)
	assert.Equal(t, "it's", s.statements[1].rows[0][0].constant)

	for _, text := range []string{"", " ;; ", "-- comment"} {
		s, err := parse(text)
		require.NoError(t, err, text)
		assert.Empty(t, s.statements)
	}
	for _, bad := range []string{"sellect", "insert", "insert T", "insert T (id", "insert T (id = )", "row (a = 'x)", "create T (id what)",
		"series x", "count T T", "slowly", "row (a = $0)", "drop 7", "\x00"} {
		_, err := parse(bad)
		assert.Error(t, err, bad)
	}
}

func TestRedactDSN(t *testing.T) {
	d := New()
	assert.Equal(t, "reference:x?password=xxxxx", d.RedactDSN("reference:x?password=s3cret"))
	assert.Equal(t, "reference:x", d.RedactDSN("reference:x"))
	assert.Empty(t, d.RedactDSN("password=s3cret"))
	_, err := d.OpenConnector("s3cret://")
	assert.NotContains(t, err.Error(), "s3cret")
}

func TestShutdownWaitsForCalls(t *testing.T) {
	d := New()
	ctor, err := d.OpenConnector("reference:" + t.Name())
	require.NoError(t, err)
	c, err := ctor.Connect(t.Context())
	require.NoError(t, err)
	ended := make(chan error, 1)
	slow, stop := context.WithCancel(t.Context())
	go func() {
		_, err := c.(*conn).ExecContext(slow, "slowly fail", nil)
		ended <- err
	}()
	require.Eventually(t, func() bool {
		d.calls.mu.Lock()
		defer d.calls.mu.Unlock()
		return d.calls.busy > 0
	}, 5*time.Second, time.Millisecond)
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, d.Shutdown(short), context.DeadlineExceeded)
	stop()
	assert.NoError(t, d.Shutdown(t.Context()))
	assert.ErrorIs(t, <-ended, context.Canceled)
	_, err = ctor.Connect(t.Context())
	assert.ErrorIs(t, err, errShutdown)
	assert.NoError(t, c.Close())
}

// A connection that is ended in a transaction frees what it held.
func TestKilledTransactionFreesTheWriter(t *testing.T) {
	d := New()
	db := openStore(t.Name())
	ctor := &connector{d: d, db: db}
	a, b := db.connect(ctor), db.connect(ctor)
	do := func(c *conn, text string) error {
		_, err := c.ExecContext(t.Context(), text, nil)
		return err
	}
	require.NoError(t, do(a, "create T (id int key); begin; insert T (id = 1)"))
	require.NoError(t, do(b, "kill 1"))
	require.NoError(t, do(b, "insert T (id = 1)"))
	assert.Error(t, do(a, "commit"))
	assert.False(t, a.IsValid())
	rows, err := b.view().table("T")
	require.NoError(t, err)
	assert.Len(t, rows.rows, 1)
}
