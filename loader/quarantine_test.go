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

func remember(t *testing.T, q quarantine, sum string, e *ProbeError) string {
	t.Helper()
	failure := &LoadError{Stage: StageProbe, Wanted: "w", Found: "f", Err: e}
	file, err := q.remember(sum, contract.Manifest{Name: "x", Version: "1.0.0"}, time.Second, failure)
	require.NoError(t, err)
	return file
}

func TestQuarantineIsPrivate(t *testing.T) {
	q := quarantineOf(filepath.Join(t.TempDir(), "x.so"))
	sum := strings.Repeat("a", 64)
	file := remember(t, q, sum, &ProbeError{Doing: "open", ExitCode: 3})
	program := sumOf(t, must(os.Executable()))
	require.Equal(t, filepath.Join(string(q), sum+"-"+program+".json"), file)
	require.Equal(t, os.ModeDir|0o700, mode(t, string(q)))
	require.Equal(t, os.FileMode(0o600), mode(t, file))
	r, ok := q.recall(sum, time.Second)
	require.True(t, ok)
	require.Equal(t, record{SHA256: sum, Program: program, Driver: "x", Version: "1.0.0", Wanted: "w", Found: "f", Limit: time.Second,
		Evidence: &ProbeError{Doing: "open", ExitCode: 3}}, *r)

	require.NoError(t, os.Chmod(string(q), 0o722))
	e := &LoadError{Err: &ProbeError{}}
	_, err := q.remember(sum, contract.Manifest{}, 0, e)
	require.ErrorContains(t, err, "others may write to it")
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chmod(string(q), 0o700))
		require.NoError(t, os.Chown(string(q), 65534, 65534))
		_, ok = q.recall(sum, time.Second)
		require.False(t, ok, "another user's")
	}
}

// What did not end within a limit may end within a longer one; any other end has
// nothing to do with the limit.
func TestQuarantineOfTimeouts(t *testing.T) {
	q := quarantineOf(filepath.Join(t.TempDir(), "x.so"))
	late, crash := strings.Repeat("a", 64), strings.Repeat("b", 64)
	remember(t, q, late, &ProbeError{Doing: "open", TimedOut: true})
	remember(t, q, crash, &ProbeError{Doing: "open", ExitCode: 3})
	for limit, honoured := range map[time.Duration]bool{time.Second / 2: true, time.Second: true, time.Second + 1: false} {
		r, ok := q.recall(late, limit)
		require.Equal(t, honoured, ok, limit)
		if ok {
			require.Contains(t, r.again(q).Remedy, "raise loader.Config.ProbeTimeout")
		}
		r, ok = q.recall(crash, limit)
		require.True(t, ok, limit)
		require.NotContains(t, r.again(q).Remedy, "ProbeTimeout")
	}
}

// A record is believed only of the file and the program that it is named after.
func TestQuarantineOfAnother(t *testing.T) {
	q := quarantineOf(filepath.Join(t.TempDir(), "x.so"))
	sum, other := strings.Repeat("a", 64), strings.Repeat("b", 64)
	file := remember(t, q, sum, &ProbeError{Doing: "open", ExitCode: 3})
	program := must(thisProgram())
	require.NoError(t, os.Rename(file, q.file(other, program)))
	_, ok := q.recall(other, 0)
	require.False(t, ok, "another file's")
	require.NoError(t, os.Rename(q.file(other, program), q.file(sum, other)))
	_, ok = q.recall(sum, 0)
	require.False(t, ok, "another program's")
	text := strings.Replace(string(must(os.ReadFile(q.file(sum, other)))), program, other, 1)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	_, ok = q.recall(sum, 0)
	require.False(t, ok, "another program's below this one's name")
}

// The number of records is bounded, and what an interrupted write has left goes.
func TestQuarantineIsBounded(t *testing.T) {
	q := quarantineOf(filepath.Join(t.TempDir(), "x.so"))
	path := func(i int) string { return q.file(fmt.Sprintf("%064x", i), strings.Repeat("c", 64)) }
	newest := strings.Repeat("f", 64)
	remember(t, q, newest, &ProbeError{})
	old := time.Now().Add(-2 * time.Hour)
	for i := range maxQuarantine + 2 {
		require.NoError(t, os.WriteFile(path(i), nil, 0o600))
		at := old.Add(time.Duration(i) * time.Second)
		require.NoError(t, os.Chtimes(path(i), at, at))
	}
	half, fresh := filepath.Join(string(q), ".new-1"), filepath.Join(string(q), ".new-2")
	require.NoError(t, os.WriteFile(half, nil, 0o600))
	require.NoError(t, os.Chtimes(half, old, old))
	require.NoError(t, os.WriteFile(fresh, nil, 0o600))
	file := remember(t, q, newest, &ProbeError{})

	records, err := filepath.Glob(filepath.Join(string(q), "*.json"))
	require.NoError(t, err)
	require.Len(t, records, maxQuarantine)
	require.NoFileExists(t, path(2))
	require.FileExists(t, path(3))
	require.FileExists(t, file)
	require.NoFileExists(t, half)
	require.FileExists(t, fresh, "another process may be writing it")
}
