package loader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// quietTime is how long nothing must happen in the directories before they
	// are looked at: a file that is being copied is no driver yet.
	quietTime = 200 * time.Millisecond
	// lookAnyway is when they are looked at although files are written all the
	// time.
	lookAnyway = 5 * time.Second
	// defaultRescan is Config.Rescan.
	defaultRescan = 30 * time.Second
)

// Watch calls [Loader.Refresh] now, whenever something changes in Config.Dirs,
// and every Config.Rescan, since not every file system tells of changes. It
// returns when ctx ends or the loader is closed, with ctx.Err() or ErrClosed.
// Changes and failures go to Config.Logger. A directory may be missing, vanish
// and come back. More than one Watch is of no use, but does no harm.
func (l *Loader[D]) Watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	var events chan fsnotify.Event
	var faults chan error
	if err != nil {
		l.log.WarnContext(ctx, "driver directories are not watched, only looked at now and then", "every", l.cfg.Rescan, "error", err)
	} else {
		defer w.Close()
		events, faults = w.Events, w.Errors
	}
	rescan := time.NewTicker(l.cfg.Rescan)
	defer rescan.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	var since time.Time // of the first event that was not looked into, or zero
	unwatched := ""     // what the log was told last
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-events:
			if !l.concerns(e.Name) || e.Op == fsnotify.Chmod {
				continue
			}
			if since.IsZero() {
				since = time.Now()
			}
			due.Reset(min(quietTime, time.Until(since.Add(lookAnyway))))
			continue
		case err := <-faults:
			l.log.WarnContext(ctx, "driver directories: changes may be noticed late", "error", err)
		case <-rescan.C:
		case <-due.C:
		}
		since = time.Time{}
		if w != nil {
			if err := l.watchDirs(w); err != nil && err.Error() != unwatched {
				unwatched = err.Error()
				l.log.WarnContext(ctx, "driver directories are only looked at now and then", "every", l.cfg.Rescan, "error", err)
			}
		}
		// What failed is in the log already.
		if _, err := l.Refresh(ctx); errors.Is(err, ErrClosed) {
			return err
		}
	}
}

// concerns tells whether a path that changed may be a driver file or a
// directory of them.
func (l *Loader[D]) concerns(path string) bool {
	if strings.HasSuffix(path, ".so") {
		return true
	}
	for _, dir := range l.cfg.Dirs {
		if path == filepath.Clean(dir) || strings.HasPrefix(filepath.Clean(dir), path+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// watchDirs watches the directories, or where one is missing the nearest one
// above it that is there. To watch one again does nothing; one that was removed
// is not watched any more, and has to be again when it is back.
// The error names those that are there and cannot be watched.
func (l *Loader[D]) watchDirs(w *fsnotify.Watcher) error {
	var faults []error
	for _, dir := range l.cfg.Dirs {
		dir = filepath.Clean(dir)
		there := false
		for ; ; dir = filepath.Dir(dir) {
			if !there {
				info, err := os.Stat(dir)
				if there = err == nil && info.IsDir(); there {
					if err := w.Add(dir); err != nil {
						faults = append(faults, fmt.Errorf("%s: %w", dir, err))
					}
				}
			}
			// A symbolic link of the kind "current -> releases/7" changes in the
			// directory that it is in.
			if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
				_ = w.Add(filepath.Dir(dir))
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return errors.Join(faults...)
}
