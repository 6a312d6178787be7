package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/keyway-go/keyway/internal/fsinfo"
)

// The names of what the cache directory holds; anything else in it is let alone.
var copyName = regexp.MustCompile(`^[0-9a-f]{64}\.so$`)

const newPrefix = ".new-" // of a copy that is being written

// CheckCache tells whether loaders with this configuration can make private
// copies of driver files, and returns the directory for them, which it creates
// where it is missing. It checks owner and mode, that code may be executed
// there, and that a file can be written and keeps its mode. The directory is
// returned without the links on its path. An error is a *LoadError of stage
// stage.
func CheckCache(cfg Config) (dir string, err error) {
	dir, refused := privateDir(cfg)
	if refused != nil {
		return dir, refused
	}
	f, err := os.CreateTemp(dir, newPrefix+"*")
	if err == nil {
		err = errors.Join(protect(f), f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return dir, cacheFault(dir, 0, err)
	}
	return dir, nil
}

const noCacheDir = "set loader.Config.CacheDir, XDG_CACHE_HOME or HOME"

// cacheDir returns where the cache is, or is to be.
func cacheDir(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "keyway", "staged"), nil
}

// privateDir returns the cache directory, and creates it where it is missing.
// With an error it returns the directory as far as it is known.
func privateDir(cfg Config) (string, *LoadError) {
	dir, err := cacheDir(cfg.CacheDir)
	if err != nil {
		return "", &LoadError{Stage: StageStage, Wanted: "a cache directory for this user", Found: err.Error(), Remedy: noCacheDir, Err: err}
	}
	resolved, refused, err := resolveCache(dir, cfg.Trust)
	if refused != nil {
		return dir, refused
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		resolved, refused, err = resolveCache(dir, cfg.Trust)
	}
	if refused != nil {
		return dir, refused
	}
	if err != nil {
		return dir, cacheFault(dir, 0, err)
	}
	dir = resolved
	info, err := os.Stat(dir)
	if err != nil {
		return dir, cacheFault(dir, 0, err)
	}
	if err := onlyOurs(info); err != nil {
		return dir, &LoadError{Stage: StageStage, Wanted: "a cache directory to which nobody else can write", Found: dir + ", which " + err.Error(),
			Remedy: "chmod go-w " + shellWord(dir) + " if it is this user's, or set loader.Config.CacheDir to a directory of its own", Err: err}
	}
	if fsys, err := fsinfo.Of(dir); err == nil && fsys.NoExec {
		return dir, &LoadError{Stage: StageStage, Wanted: "a cache directory from which code may be executed",
			Found:  dir + ", on a file system that is mounted noexec",
			Remedy: "set loader.Config.CacheDir, or XDG_CACHE_HOME, to a directory on another file system; findmnt -T " + shellWord(dir) + " names this one"}
	}
	return dir, nil
}

// cacheFault tells what it means that the cache directory could not be written
// to. size is that of the copy, or 0.
func cacheFault(dir string, size int64, err error) *LoadError {
	e := &LoadError{Stage: StageStage, Wanted: "a private copy of the driver file in " + dir, Found: err.Error(),
		Remedy: "let this user write there, or set loader.Config.CacheDir", Err: err}
	const elsewhere = "set loader.Config.CacheDir, or XDG_CACHE_HOME, to a directory that this user can write to"
	switch {
	case errors.Is(err, errNoSpace), errors.Is(err, errQuota):
		e.Wanted = fmt.Sprintf("room for a private copy of %d bytes in %s", size, dir)
		e.Found = "a full disk"
		if errors.Is(err, errQuota) {
			e.Found = "a used up quota"
		} else if fsys, serr := fsinfo.Of(dir); serr == nil {
			e.Found = fmt.Sprintf("a file system with only %d bytes left", fsys.Free)
		}
		e.Remedy = "remove what is not needed there (df -h " + shellWord(dir) + "), or set loader.Config.CacheDir to a directory on another file system"
	case errors.Is(err, errNotKept):
		e.Wanted = "a cache directory in which the owners and modes of files are kept"
		e.Remedy = "set loader.Config.CacheDir, or XDG_CACHE_HOME, to a directory on another file system; findmnt -T " + shellWord(dir) + " names this one"
	case errors.Is(err, errReadOnly):
		e.Found, e.Remedy = "a read-only file system ("+err.Error()+")", elsewhere
	case errors.Is(err, fs.ErrPermission):
		e.Remedy = elsewhere
	}
	return e
}

// prune removes the copies that were not used for the longest time until the
// rest has at most limit bytes. What a process uses stays, as its lock says;
// so does what cannot be locked. It reports nothing: the next one tries again.
func prune(dir string, limit int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var copies []fs.FileInfo
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil || !info.Mode().IsRegular():
		case strings.HasPrefix(e.Name(), newPrefix):
			// Writing one takes less than a second: its process was killed.
			if time.Since(info.ModTime()) > time.Hour {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
		case copyName.MatchString(e.Name()):
			copies = append(copies, info)
			total += info.Size()
		}
	}
	slices.SortFunc(copies, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, c := range copies {
		if total <= limit {
			return
		}
		if removeUnused(filepath.Join(dir, c.Name())) {
			total -= c.Size()
		}
	}
}

// removeUnused removes a copy that no process uses. One that is about to take
// it sees, once it has the lock, that the copy is gone.
func removeUnused(path string) bool {
	f, err := openForReading(path, false)
	if err != nil {
		return false
	}
	defer f.Close()
	if !lockAlone(f) {
		return false
	}
	info, err := f.Stat()
	return err == nil && isAt(path, info) && os.Remove(path) == nil
}
