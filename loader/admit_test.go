//go:build linux

package loader

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// openAs opens a file as admit does, and lets something happen to it before it
// is read.
func openAs(t *testing.T, content string, meanwhile func(path string) error) ([]byte, *LoadError) {
	t.Helper()
	path := write(t, "x.so", []byte(content))
	old := time.Now().Add(-time.Minute)
	require.NoError(t, os.Chtimes(path, old, old))
	f, refused := openDriver(path, Config{})
	require.Nil(t, refused)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	require.NoError(t, meanwhile(path))
	return readWhole(f, info)
}

func TestFileChangesWhileRead(t *testing.T) {
	content := "\x7fELF" + strings.Repeat("content", 20)
	for name, c := range map[string]struct {
		meanwhile func(path string) error
		found     string
	}{
		"grows":     {func(path string) error { return os.WriteFile(path, []byte(content+"more"), 0o600) }, "more when it was read"},
		"shrinks":   {func(path string) error { return os.Truncate(path, 3) }, "3 bytes when it was read"},
		"same size": {func(path string) error { return os.WriteFile(path, []byte(strings.ToUpper(content)), 0o600) }, "written to while it was read"},
	} {
		_, refused := openAs(t, content, c.meanwhile)
		require.NotNil(t, refused, name)
		require.Contains(t, refused.Found, c.found, name)
		require.Contains(t, refused.Remedy, "renaming", name)
	}

	// What was opened is read, whatever the path means by then.
	for name, meanwhile := range map[string]func(path string) error{
		"nothing":  func(string) error { return nil },
		"deleted":  os.Remove,
		"replaced": accidents["replaced"],
	} {
		got, refused := openAs(t, content, meanwhile)
		require.Nil(t, refused, name)
		require.Equal(t, content, string(got), name)
	}
}

// A file can claim a size that it costs nobody to have.
func TestOnlyTheHeadOfWhatIsNoELF(t *testing.T) {
	const size = 64 << 20
	path := write(t, "x.so", []byte("PK\x03\x04"))
	require.NoError(t, os.Truncate(path, size))
	l := newLoader(t, Config{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := l.LoadFile(t.Context(), path)
	runtime.ReadMemStats(&after)
	le := refused(t, err, StageInspect)
	require.Equal(t, []string{"an ELF file", "a zip file"}, []string{le.Wanted, le.Found})
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size/4))
}

// To open a device can do things: a FIFO stands for it here, whose writer sees
// when somebody opens it.
func TestOnlyFilesAreOpened(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		if f, err := os.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
			f.Close()
		}
	}()
	time.Sleep(20 * time.Millisecond) // until the writer waits
	for range 50 {
		_, refused := openDriver(fifo, Config{})
		require.NotNil(t, refused)
		require.Equal(t, "a FIFO", refused.Found)
	}
	select {
	case <-opened:
		t.Error("it was opened")
	case <-time.After(50 * time.Millisecond):
	}
	f, err := os.OpenFile(fifo, os.O_RDONLY, 0) // lets the writer end
	require.NoError(t, err)
	f.Close()
	<-opened
}

// One path can mean two things when it is asked twice; a link that is put there
// between is not followed.
func TestOpenForReading(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link.so")
	require.NoError(t, os.Symlink(write(t, "x.so", []byte("x")), link))
	_, err := openForReading(link, false)
	require.ErrorIs(t, err, syscall.ELOOP)
	f, err := openForReading(link, true)
	require.NoError(t, err)
	f.Close()
}
