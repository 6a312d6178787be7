//go:build linux

package loader

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const nobody = 65534

// trustedDir returns a new directory with no links in its path and which only
// this user can change. Tests are skipped where the directory for temporary
// files has none, such as below a home that a group can write to.
func trustedDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	for above := dir; above != "/"; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		require.NoError(t, err)
		uid, _ := ownerOf(info)
		if uid != 0 && uid != os.Geteuid() || info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
			t.Skip("needs a TMPDIR that others cannot change: " + above)
		}
	}
	return dir
}

// put writes a file into a directory, which it makes.
func put(t *testing.T, path string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o644))
	return path
}

func admitTrusted(path string, follow bool) error {
	_, err := admit(path, Config{MaxSize: 100, FollowLinks: follow, Trust: &Trust{}})
	return err
}

func TestTrustAccepts(t *testing.T) {
	dir := trustedDir(t)
	file := put(t, filepath.Join(dir, "a", "b", "x.so"))
	require.NoError(t, admitTrusted(file, false))

	// Links on the way, absolute, relative and up again.
	require.NoError(t, os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "absolute")))
	require.NoError(t, os.Symlink("../a/./b/..//b", filepath.Join(dir, "a", "relative")))
	require.NoError(t, admitTrusted(filepath.Join(dir, "absolute", "relative", "x.so"), false))
	last := filepath.Join(dir, "last.so")
	require.NoError(t, os.Symlink("absolute/relative/x.so", last))
	require.NoError(t, admitTrusted(last, true))
	le := refused(t, admitTrusted(last, false), StageAdmit)
	require.Equal(t, "a symbolic link", le.Found)

	// Where all can write but not rename, what lies below is as its owner made it.
	shared := filepath.Join(dir, "shared")
	below := put(t, filepath.Join(shared, "own", "x.so"))
	require.NoError(t, os.Chmod(shared, 0o777|fs.ModeSticky))
	require.NoError(t, admitTrusted(below, false))
}

func TestTrustRefusesModes(t *testing.T) {
	for name, c := range map[string]struct {
		path          string // below the directory
		mode          fs.FileMode
		found, remedy string
	}{
		"file, group":            {"a/b/x.so", 0o664, "mode 0664 (its group can write to it)", "chmod go-w PATH"},
		"file, others":           {"a/b/x.so", 0o646, "mode 0646 (everybody but its group can write to it)", "chmod go-w PATH"},
		"directory, group":       {"a/b", 0o775, "directory PATH of ", "chmod go-w PATH"},
		"directory, all":         {"a/b", 0o777, "mode 0777 (everybody can write to it)", "chmod go-w PATH"},
		"directory above, group": {"a", 0o2775 &^ 0o2000, "directory PATH of ", "chmod go-w PATH"},
		"shared directory":       {"a/b", 0o777 | fs.ModeSticky, "the file itself in PATH, where all can write", "nobody else can write"},
	} {
		dir := trustedDir(t)
		file := put(t, filepath.Join(dir, "a", "b", "x.so"))
		path := filepath.Join(dir, c.path)
		require.NoError(t, os.Chmod(path, c.mode), name)
		le := refused(t, admitTrusted(file, false), StageAdmit)
		require.Contains(t, le.Wanted, "that only root", name)
		require.Contains(t, le.Wanted, "every directory above it", name)
		require.Contains(t, le.Found, strings.ReplaceAll(c.found, "PATH", path), name)
		require.Contains(t, le.Remedy, strings.ReplaceAll(c.remedy, "PATH", path), name)
		_, err := admit(file, Config{MaxSize: 100})
		require.NoError(t, err, "%s: without a demand", name)
	}
}

// All reasons are given, and the remedy is one line for a shell.
func TestTrustNamesEveryReason(t *testing.T) {
	dir := trustedDir(t)
	file := put(t, filepath.Join(dir, "it's", "b", "x.so"))
	above := filepath.Join(dir, "it's")
	require.NoError(t, os.Chmod(above, 0o777))
	require.NoError(t, os.Chmod(file, 0o666))
	require.NoError(t, os.Symlink("../../it's/b", filepath.Join(above, "b", "again")))
	le := refused(t, admitTrusted(filepath.Join(above, "b", "again", "x.so"), false), StageAdmit)
	quoted := strings.ReplaceAll(above, "'", `'\''`)
	require.Equal(t, "chmod go-w '"+quoted+"' && chmod go-w '"+quoted+"/b/x.so'", le.Remedy)
	require.Equal(t, 1, strings.Count(le.Found, "; "))
}

func TestTrustRefusesOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	for _, what := range []string{"a/b/x.so", "a/b", "a", "a/link"} {
		dir := trustedDir(t)
		put(t, filepath.Join(dir, "a", "b", "x.so"))
		require.NoError(t, os.Symlink("b", filepath.Join(dir, "a", "link")))
		through := filepath.Join(dir, "a", "link", "x.so")
		require.NoError(t, admitTrusted(through, false))
		path := filepath.Join(dir, what)
		require.NoError(t, os.Lchown(path, nobody, nobody))
		le := refused(t, admitTrusted(through, false), StageAdmit)
		require.Contains(t, le.Found, path+" of user 65534", what)
		require.Contains(t, le.Found, ", mode 0", what)
		require.Contains(t, le.Remedy, " root "+path, what)
		_, err := admit(through, Config{MaxSize: 100, Trust: &Trust{Owners: []int{nobody}}})
		require.NoError(t, err, what)
		_, err = admit(through, Config{MaxSize: 100, Trust: &Trust{Owners: []int{1, 2}}})
		le = refused(t, err, StageAdmit)
		require.Contains(t, le.Wanted, "root and user 1", what)
	}
}

// An ordinary user trusts root and itself; an empty list is root alone.
func TestTrustOwners(t *testing.T) {
	require.True(t, (&Trust{}).trusts(0))
	us, stranger := os.Geteuid(), os.Geteuid()+1
	require.True(t, (&Trust{}).trusts(us))
	require.False(t, (&Trust{}).trusts(stranger))
	require.True(t, (&Trust{Owners: []int{}}).trusts(0))
	require.Equal(t, us == 0, (&Trust{Owners: []int{}}).trusts(us))
	require.True(t, (&Trust{Owners: []int{stranger}}).trusts(stranger))
	require.Equal(t, us == 0, (&Trust{Owners: []int{stranger}}).trusts(us))
}

// What is wrong with a directory is said before what is missing below it, which
// others decide.
func TestTrustBeforeMissing(t *testing.T) {
	dir := trustedDir(t)
	le := refused(t, admitTrusted(filepath.Join(dir, "x.so"), false), StageAdmit)
	require.Equal(t, "no such file", le.Found)
	loop := filepath.Join(dir, "loop.so")
	require.NoError(t, os.Symlink("loop.so", loop))
	le = refused(t, admitTrusted(loop, true), StageAdmit)
	require.Equal(t, "a loop of symbolic links", le.Found)
	file := put(t, filepath.Join(dir, "y.so"))
	le = refused(t, admitTrusted(filepath.Join(file, "z.so"), true), StageAdmit)
	require.Equal(t, "not a directory", le.Found)

	require.NoError(t, os.Chmod(dir, 0o777))
	for _, name := range []string{"x.so", "loop.so", "y.so/z.so"} {
		le = refused(t, admitTrusted(filepath.Join(dir, name), true), StageAdmit)
		require.Contains(t, le.Found, "directory "+dir+" of ")
	}
}

// Private copies, too, must be below directories that others cannot change.
func TestTrustTheCache(t *testing.T) {
	dir := trustedDir(t)
	cfg := Config{CacheDir: filepath.Join(dir, "above", "staged"), Trust: &Trust{}}
	got, err := CheckCache(cfg)
	require.NoError(t, err)
	require.Equal(t, cfg.CacheDir, got)
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink("above", link))
	got, err = CheckCache(Config{CacheDir: filepath.Join(link, "staged"), Trust: &Trust{}})
	require.NoError(t, err)
	require.Equal(t, cfg.CacheDir, got, "copies are opened by the path that was checked")
	require.NoError(t, os.Chmod(filepath.Join(dir, "above"), 0o777))
	_, err = CheckCache(cfg)
	le := refusedIn(t, err, StageStage)
	require.Contains(t, le.Wanted, "a cache directory that only root")
	require.Contains(t, le.Found, filepath.Join(dir, "above")+" of ")
	require.Contains(t, le.Remedy, "CacheDir")
	_, err = CheckCache(Config{CacheDir: cfg.CacheDir})
	require.NoError(t, err, "without a demand")
}

func TestTrustLoads(t *testing.T) {
	dir := trustedDir(t)
	text, err := os.ReadFile(good(t))
	require.NoError(t, err)
	file := filepath.Join(dir, "good.so")
	require.NoError(t, os.WriteFile(file, text, 0o644))
	l := newLoader(t, Config{Dirs: []string{dir}, CacheDir: filepath.Join(dir, "cache"), Trust: &Trust{}})
	d, err := l.Load(t.Context(), "good")
	require.NoError(t, err)
	works(t, l, d, "1.2.0")

	_, err = New(Config{Trust: &Trust{Owners: []int{-1}}, CacheSize: -1})
	require.ErrorContains(t, err, "Trust.Owners has a negative number")
	require.ErrorContains(t, err, "CacheSize is negative")
}
