//go:build linux

package loader

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
)

func remember(t *testing.T, q quarantine, sum string) {
	t.Helper()
	e := &LoadError{Stage: StageProbe, Wanted: "w", Found: "f", Err: &ProbeError{Doing: "open", ExitCode: 3}}
	require.NoError(t, q.remember(sum, contract.Manifest{Name: "x", Version: "1.0.0"}, e))
}

func TestQuarantineIsPrivate(t *testing.T) {
	q := quarantineOf(filepath.Join(t.TempDir(), "x.so"))
	sum := strings.Repeat("a", 64)
	remember(t, q, sum)
	require.Equal(t, os.ModeDir|0o700, mode(t, string(q)))
	require.Equal(t, os.FileMode(0o600), mode(t, q.file(sum)))
	r, ok := q.recall(sum)
	require.True(t, ok)
	require.Equal(t, record{SHA256: sum, Driver: "x", Version: "1.0.0", Wanted: "w", Found: "f", Evidence: &ProbeError{Doing: "open", ExitCode: 3}}, *r)

	require.NoError(t, os.Chmod(string(q), 0o722))
	e := &LoadError{Err: &ProbeError{}}
	require.ErrorContains(t, q.remember(sum, contract.Manifest{}, e), "others may write to it")
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chmod(string(q), 0o700))
		require.NoError(t, os.Chown(string(q), 65534, 65534))
		_, ok = q.recall(sum)
		require.False(t, ok, "another user's")
	}
}

// The number of records is bounded, and what an interrupted write has left goes.
func TestQuarantineIsBounded(t *testing.T) {
	q := quarantineOf(filepath.Join(t.TempDir(), "x.so"))
	name := func(i int) string { return fmt.Sprintf("%064x", i) }
	remember(t, q, name(0))
	old := time.Now().Add(-2 * time.Hour)
	for i := range maxQuarantine + 2 {
		require.NoError(t, os.WriteFile(q.file(name(i)), nil, 0o600))
		at := old.Add(time.Duration(i) * time.Second)
		require.NoError(t, os.Chtimes(q.file(name(i)), at, at))
	}
	half, fresh := filepath.Join(string(q), ".new-1"), filepath.Join(string(q), ".new-2")
	require.NoError(t, os.WriteFile(half, nil, 0o600))
	require.NoError(t, os.Chtimes(half, old, old))
	require.NoError(t, os.WriteFile(fresh, nil, 0o600))
	remember(t, q, name(10_000))

	records, err := filepath.Glob(filepath.Join(string(q), "*.json"))
	require.NoError(t, err)
	require.Len(t, records, maxQuarantine)
	require.NoFileExists(t, q.file(name(2)))
	require.FileExists(t, q.file(name(3)))
	require.FileExists(t, q.file(name(10_000)))
	require.NoFileExists(t, half)
	require.FileExists(t, fresh, "another process may be writing it")
}
