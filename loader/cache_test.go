//go:build linux

package loader

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
)

func TestStageOnNoexec(t *testing.T) {
	var err error
	var left []os.DirEntry
	fixture.Tmpfs(t, syscall.MS_NOEXEC, "", func(dir string) {
		_, err = stageOf(t, "content", filepath.Join(dir, "staged"))
		left, _ = os.ReadDir(filepath.Join(dir, "staged"))
	})
	le := refusedIn(t, err, StageStage)
	require.Contains(t, le.Found, "mounted noexec")
	require.Contains(t, le.Remedy, "CacheDir")
	require.Contains(t, le.Remedy, "findmnt -T ")
	require.Empty(t, left, "something was written")
}

func TestStageOnFullDisk(t *testing.T) {
	var err, after error
	var left []os.DirEntry
	fixture.Tmpfs(t, 0, "size=64k,mode=0700", func(dir string) {
		_, err = stageOf(t, strings.Repeat("x", 200<<10), dir)
		left, _ = os.ReadDir(dir)
		_, after = stageOf(t, "small", dir)
	})
	le := refusedIn(t, err, StageStage)
	require.Contains(t, le.Wanted, "204800 bytes")
	require.Contains(t, le.Found, "a file system with only 65536 bytes left")
	require.Contains(t, le.Remedy, "df -h ")
	require.ErrorIs(t, le, syscall.ENOSPC)
	require.Empty(t, left, "what was begun stayed")
	require.NoError(t, after)
}

func TestStageReadOnly(t *testing.T) {
	var first, again, other error
	fixture.Tmpfs(t, 0, "", func(dir string) {
		_, first = stageOf(t, "content", filepath.Join(dir, "cache"))
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			other = err
			return
		}
		_, again = stageOf(t, "content", filepath.Join(dir, "cache"))
		_, other = stageOf(t, "other", filepath.Join(dir, "home", ".cache"))
	})
	require.NoError(t, first)
	require.NoError(t, again, "a copy that is there needs no writing")
	le := refusedIn(t, other, StageStage)
	require.Contains(t, le.Found, "a read-only file system")
	require.Contains(t, le.Remedy, "CacheDir")
	require.ErrorIs(t, le, syscall.EROFS)
}

// A file system may take a mode and not keep it, or say that it has none.
func TestStageWithoutModes(t *testing.T) {
	defer func(f func(*os.File, os.FileMode) error) { chmod = f }(chmod)
	for name, other := range map[string]func(*os.File, os.FileMode) error{
		"ignores": func(*os.File, os.FileMode) error { return nil },
		"refuses": func(*os.File, os.FileMode) error { return syscall.EPERM },
		"opens":   func(f *os.File, _ os.FileMode) error { return f.Chmod(0o755) },
	} {
		chmod = other
		dir := t.TempDir()
		start := time.Now()
		_, err := stageOf(t, "content", dir)
		le := refusedIn(t, err, StageStage)
		require.Less(t, time.Since(start), 5*time.Second, name)
		require.Contains(t, le.Wanted, "owners and modes of files are kept", name)
		require.Contains(t, le.Found, ", and not 0500)", name)
		require.Contains(t, le.Remedy, "findmnt -T "+dir, name)
		_, err = CheckCache(Config{CacheDir: dir})
		require.Equal(t, le.Wanted, refusedIn(t, err, StageStage).Wanted, name)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, name)
	}
}

func TestCheckCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	got, err := CheckCache(Config{CacheDir: dir})
	require.NoError(t, err)
	require.Equal(t, dir, got)
	require.Equal(t, os.ModeDir|0o700, mode(t, dir))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	require.NoError(t, os.Chmod(dir, 0o770))
	got, err = CheckCache(Config{CacheDir: dir})
	require.Equal(t, dir, got)
	require.Contains(t, refusedIn(t, err, StageStage).Remedy, "chmod go-w "+dir)

	readOnly := filepath.Join(t.TempDir(), "ro")
	require.NoError(t, os.Mkdir(readOnly, 0o500))
	if os.Geteuid() == 0 {
		t.Skip("root can write everywhere")
	}
	_, err = CheckCache(Config{CacheDir: readOnly})
	require.ErrorIs(t, refusedIn(t, err, StageStage), os.ErrPermission)
}

// Who can make or replace a link on the way to the copies decides what runs.
func TestCacheBehindLinks(t *testing.T) {
	const nobody = 65534
	for name, c := range map[string]struct {
		mode    os.FileMode // of the directory with the link
		owner   int         // of the link
		refused bool
	}{
		"own directory":                     {0o755, os.Geteuid(), false},
		"group can write":                   {0o775, os.Geteuid(), true},
		"all can write":                     {0o777, os.Geteuid(), true},
		"sticky, own link":                  {os.ModeSticky | 0o777, os.Geteuid(), false},
		"sticky, another's link":            {os.ModeSticky | 0o777, nobody, true},
		"own directory, another's old link": {0o755, nobody, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, real := t.TempDir(), filepath.Join(t.TempDir(), "real")
			require.NoError(t, os.Mkdir(real, 0o700))
			link := filepath.Join(dir, "link")
			require.NoError(t, os.Symlink(real, link))
			if c.owner != os.Geteuid() && os.Geteuid() != 0 {
				t.Skip("needs root to give links away")
			}
			require.NoError(t, os.Lchown(link, c.owner, -1))
			require.NoError(t, os.Chmod(dir, c.mode))
			for cache, copies := range map[string]string{link: real, filepath.Join(link, "new"): filepath.Join(real, "new")} {
				path, err := stageOf(t, "content", cache)
				if !c.refused {
					require.NoError(t, err)
					require.Equal(t, copies, filepath.Dir(path), "the link can lead elsewhere when the copy is opened")
					continue
				}
				le := refusedIn(t, err, StageStage)
				require.Equal(t, "a cache directory whose path others cannot change", le.Wanted)
				require.Contains(t, le.Found, "symbolic link "+link+" of ")
				require.Contains(t, le.Remedy, "without this link")
				left, err := os.ReadDir(real)
				require.NoError(t, err)
				require.Empty(t, left, "something was made behind it")
			}
		})
	}
}

// age sets when a copy was last used.
func age(t *testing.T, path string, hours int) {
	t.Helper()
	then := time.Now().Add(-time.Duration(hours) * time.Hour)
	require.NoError(t, os.Chtimes(path, then, then))
}

func TestPruneRemovesLeastRecentlyUsed(t *testing.T) {
	dir := t.TempDir()
	paths := map[string]string{}
	for i, content := range []string{"aaaa", "bbbb", "cccc", "dddd"} {
		path, err := stageOf(t, content, dir)
		require.NoError(t, err)
		age(t, path, 10-i)
		paths[content] = path
	}
	_, err := stageOf(t, "aaaa", dir) // which makes b the oldest
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, newPrefix+"1"), []byte("killed"), 0o600))
	age(t, filepath.Join(dir, newPrefix+"1"), 2)
	require.NoError(t, os.WriteFile(filepath.Join(dir, newPrefix+"2"), []byte("being written"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.so"), []byte("somebody's"), 0o600))
	age(t, filepath.Join(dir, "mine.so"), 99)

	s, err := stage(admittedBytes("eeee"), Config{CacheDir: dir, CacheSize: 12})
	require.NoError(t, err)
	defer s.release()
	var left []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		left = append(left, filepath.Join(dir, e.Name()))
	}
	require.ElementsMatch(t, []string{paths["aaaa"], paths["dddd"], s.path, filepath.Join(dir, newPrefix+"2"), filepath.Join(dir, "mine.so")}, left)
}

// A copy that a process has loaded stays, whichever process makes a new one; one
// that nobody uses any more goes.
func TestPruneSparesWhatRuns(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{CacheDir: dir, CacheSize: 1}
	ours, err := stage(admittedBytes("ours"), cfg)
	require.NoError(t, err)
	other := fixture.Driver(t, fixture.Answering("other", "other", "2.0.0"))
	child := inChild(t, []step{{File: good(t), Config: cfg}, {File: other, Config: cfg}, {File: good(t), Config: cfg}})
	for _, o := range child {
		require.NotEmpty(t, o.Answer, "%+v", o)
	}
	require.FileExists(t, ours.path)
	require.Equal(t, child[0].Mapped, child[2].Mapped)
	require.Equal(t, child[0].Mapped, fmt.Sprint(inode(t, filepath.Join(dir, sumOf(t, good(t))+".so"))), "removed while the child ran it")

	ours.release()
	last, err := stage(admittedBytes("last"), cfg)
	require.NoError(t, err)
	defer last.release()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Equal(t, []string{last.path}, left)
}

// Whoever has a copy finds it at its path, while others stage and prune.
func TestPruneRace(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	faults := make(chan error, 8)
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				content := strings.Repeat(fmt.Sprint((g+i)%5), 1000)
				s, err := stage(admittedBytes(content), Config{CacheDir: dir, CacheSize: 1})
				if err != nil {
					faults <- err
					return
				}
				text, err := os.ReadFile(s.path)
				s.release()
				if err != nil || string(text) != content {
					faults <- fmt.Errorf("%d bytes, %w", len(text), err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(faults)
	for err := range faults {
		t.Error(err)
	}
}

// A copy that is not loaded after all is not kept from pruning.
func TestFailedOpenReleases(t *testing.T) {
	cfg := Config{CacheDir: t.TempDir(), CacheSize: 1}
	file := fixture.Build(t, fixture.Plain("releases", fixture.Manifest("releases", "1.0.0"), "func init() { panic(\"in init\") }\n\nfunc NewDriver() int { return 0 }"))
	l := newLoader(t, cfg)
	for range 2 { // tried, and answered from the list
		_, err := l.LoadFile(t.Context(), file)
		require.Contains(t, refused(t, err, StageOpen).Remedy, "not opened again before the program restarts")
	}
	require.True(t, removeUnused(filepath.Join(cfg.CacheDir, sumOf(t, file)+".so")))
}

// Processes that load one driver map one file, and so share its pages, also
// when they make the copy at the same moment.
func TestProcessesShareTheCopy(t *testing.T) {
	const processes = 4
	cfg := Config{CacheDir: t.TempDir()}
	file := good(t)
	outcomes := make([][]outcome, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() { outcomes[i] = inChild(t, []step{{File: file, Config: cfg}}) })
	}
	wg.Wait()
	staged := fmt.Sprint(inode(t, filepath.Join(cfg.CacheDir, sumOf(t, file)+".so")))
	for _, o := range outcomes {
		require.Len(t, o, 1)
		require.Equal(t, "1.2.0", o[0].Answer)
		require.Equal(t, staged, o[0].Mapped)
	}
}

func TestStageAtOnce(t *testing.T) {
	content := strings.Repeat("x", 1<<20)
	for range 20 {
		cfg := Config{CacheDir: t.TempDir(), CacheSize: 1 << 30}
		files := make([]os.FileInfo, 4)
		var wg sync.WaitGroup
		for i := range files {
			wg.Go(func() {
				if s, err := stage(admittedBytes(content), cfg); err == nil {
					files[i], _ = s.use.Stat()
					s.release()
				}
			})
		}
		wg.Wait()
		for _, f := range files {
			require.NotNil(t, f)
			require.True(t, os.SameFile(files[0], f))
		}
	}
}

// Of two who write the same copy at once the first wins.
func TestWriteStagedTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.so")
	require.NoError(t, writeStaged(path, []byte("content"), false))
	first := inode(t, path)
	require.NoError(t, writeStaged(path, []byte("content"), false))
	require.Equal(t, first, inode(t, path))
	require.NoError(t, writeStaged(path, []byte("content"), true))
	require.NotEqual(t, first, inode(t, path))
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

// Nothing that becomes of the file of a running driver reaches it: pages that
// were not used before come from the copy.
func TestRunningDriverOutlivesItsFile(t *testing.T) {
	var steps []step
	for _, accident := range []string{"deleted", "truncated", "overwritten", "replaced"} {
		driver := fixture.Driver(t, fixture.Answering(accident, accident, "1.0.0"))
		steps = append(steps, step{File: install(t, driver, accident+".so"), After: accident})
	}
	for i, o := range inChild(t, steps) {
		require.Equal(t, "1.0.0", o.Answer, "%s: %+v", steps[i].After, o)
	}
}
