//go:build linux

package loader

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	return info.Mode()
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

// stageOf takes content through stage, and releases the copy.
func stageOf(t *testing.T, content, cache string) (string, error) {
	t.Helper()
	s, err := stage(admittedBytes(content), Config{CacheDir: cache, CacheSize: 1 << 30})
	if err != nil {
		return "", err
	}
	s.release()
	return s.path, nil
}

// admittedBytes are what admit would return of a file with this content.
func admittedBytes(content string) *admitted {
	return &admitted{path: "x.so", bytes: []byte(content), sum: sumLater([]byte(content))}
}

func TestStagePrivateCopy(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "new", "staged")
	path, err := stageOf(t, "content", cache)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(cache, "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73.so"), path)
	require.Equal(t, fs.FileMode(0o500), mode(t, path))
	require.Equal(t, fs.ModeDir|0o700, mode(t, cache))

	// The same content again is the same file, and not written again.
	before := inode(t, path)
	again, err := stageOf(t, "content", cache)
	require.NoError(t, err)
	require.Equal(t, path, again)
	require.Equal(t, before, inode(t, path))
}

func TestStageDefaultDirectory(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home)
	path, err := stageOf(t, "content", "")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(home, "keyway", "staged"), filepath.Dir(path))

	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	_, err = stageOf(t, "content", "")
	require.Contains(t, refusedIn(t, err, StageStage).Remedy, "CacheDir")
}

// refusedIn is refused for a stage that knows neither driver nor file.
func refusedIn(t *testing.T, err error, stage Stage) *LoadError {
	t.Helper()
	var le *LoadError
	require.ErrorAs(t, err, &le)
	le.File = "x.so"
	return refused(t, le, stage)
}

// What is not the admitted bytes is replaced as a whole: the damaged file may
// be mapped into another process.
func TestStageRewrites(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"other bytes": func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("CONTENT"), 0o600)) },
		"cut":         func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("cont"), 0o600)) },
		"longer":      func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("content+"), 0o600)) },
		"empty":       func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, nil, 0o600)) },
		"a link": func(t *testing.T, path string) {
			const as = "is-long" // as content is
			require.NoError(t, os.Rename(path, filepath.Join(filepath.Dir(path), as)))
			require.NoError(t, os.Symlink(as, path))
		},
		"a FIFO": func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, syscall.Mkfifo(path, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			path, err := stageOf(t, "content", cache)
			require.NoError(t, err)
			require.NoError(t, os.Chmod(path, 0o700))
			damage(t, path)
			if mode(t, path).IsRegular() {
				require.NoError(t, os.Chmod(path, 0o500))
			}
			before := inode(t, path)
			_, err = stageOf(t, "content", cache)
			require.NoError(t, err)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, "content", string(text))
			require.Equal(t, fs.FileMode(0o500), mode(t, path))
			require.NotEqual(t, before, inode(t, path), "written in place")
			left, err := filepath.Glob(filepath.Join(cache, ".*"))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// A copy is private only where nobody else can write.
func TestStageIsPrivate(t *testing.T) {
	shared := t.TempDir()
	require.NoError(t, os.Chmod(shared, 0o777))
	_, err := stageOf(t, "content", shared)
	require.Contains(t, refusedIn(t, err, StageStage).Found, "others may write to it")

	for name, open := range map[string]fs.FileMode{"own write bit": 0o700, "group write bit": 0o520} {
		cache := t.TempDir()
		path, err := stageOf(t, "content", cache)
		require.NoError(t, err, name)
		require.NoError(t, os.Chmod(path, open))
		before := inode(t, path)
		_, err = stageOf(t, "content", cache)
		require.NoError(t, err, name)
		require.NotEqual(t, before, inode(t, path), name)
		require.Equal(t, fs.FileMode(0o500), mode(t, path), name)
	}

	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	const nobody = 65534
	given := t.TempDir()
	path, err := stageOf(t, "content", given)
	require.NoError(t, err)
	require.NoError(t, os.Chown(path, nobody, nobody))
	before := inode(t, path)
	_, err = stageOf(t, "content", given)
	require.NoError(t, err)
	require.NotEqual(t, before, inode(t, path))
	require.NoError(t, os.Chown(given, nobody, nobody))
	_, err = stageOf(t, "content", given)
	require.Contains(t, refusedIn(t, err, StageStage).Found, "belongs to user 65534")
}

func TestStageCannotWrite(t *testing.T) {
	// Of root too.
	file := write(t, "file", []byte("x"))
	_, err := stageOf(t, "content", filepath.Join(file, "staged"))
	le := refusedIn(t, err, StageStage)
	require.Contains(t, le.Wanted, filepath.Join(file, "staged"))
	require.Contains(t, le.Remedy, "CacheDir")
	require.ErrorIs(t, le, syscall.ENOTDIR)

	inTheWay := t.TempDir()
	path, err := stageOf(t, "content", inTheWay)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err = stageOf(t, "content", inTheWay)
	refusedIn(t, err, StageStage)
	left, err := filepath.Glob(filepath.Join(inTheWay, ".*"))
	require.NoError(t, err)
	require.Empty(t, left)

	readOnly := t.TempDir()
	require.NoError(t, os.Chmod(readOnly, 0o500))
	require.NoError(t, os.Chown(readOnly, os.Geteuid(), -1))
	asNobody(t, func() { _, err = stageOf(t, "content", filepath.Join(readOnly, "new")) })
	le = refusedIn(t, err, StageStage)
	require.ErrorIs(t, le, fs.ErrPermission)
	require.Contains(t, le.Remedy, "CacheDir, or XDG_CACHE_HOME")
}

func TestUnreadableFile(t *testing.T) {
	file := install(t, good(t), "good.so")
	require.NoError(t, os.Chmod(file, 0))
	l := newLoader(t, Config{})
	var err error
	asNobody(t, func() { _, err = l.LoadFile(t.Context(), file) })
	le := refused(t, err, StageAdmit)
	require.Equal(t, file, le.File)
	require.Equal(t, "permission denied", le.Found)
	require.Contains(t, le.Remedy, "chmod a+r "+file)
	require.ErrorIs(t, err, fs.ErrPermission)
}

// asNobody runs f with the file permissions of an ordinary user, as root has
// none to lack. Only the thread of f changes, and only for files.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.NoError(t, syscall.Setfsuid(nobody))
	defer func() { require.NoError(t, syscall.Setfsuid(0)) }()
	f()
}
