package loader

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/keyway-go/keyway/contract"
)

// shelf is what was read of the driver files in Config.Dirs, without running
// them. A file is read again when it has changed.
type shelf struct {
	looking sync.Mutex // held while files changes, so that nothing noted is lost; before mu

	mu     sync.Mutex // protects following fields
	files  []*shelved // in the order of Find; neither it nor what it holds is changed
	looked bool
}

// shelved is a driver file.
type shelved struct {
	Found
	info     fs.FileInfo // when it was read; nil if it could not be looked up
	manifest contract.Manifest
	sum      string
	// err is why it cannot be loaded, as far as is known.
	err error
	// ran tells that the file was opened and failed. It is not opened again
	// before it changes.
	ran bool
	// said is what the log was told of the file last.
	said string
}

// sameAs tells whether the file is the one that was read, as far as a file
// system tells.
func (s *shelved) sameAs(info fs.FileInfo) bool {
	return s.info != nil && os.SameFile(s.info, info) && s.info.Size() == info.Size() && s.info.ModTime().Equal(info.ModTime())
}

// look reads what is new in the directories. A file that cannot be loaded is
// no error here, but its own.
func (l *Loader[D]) look(ctx context.Context) error {
	l.shelf.looking.Lock()
	defer l.shelf.looking.Unlock()
	found, err := Find(l.cfg.Dirs...)
	if err != nil {
		return err
	}
	files := make([]*shelved, 0, len(found))
	for _, f := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		files = append(files, l.read(f, l.onShelf(f.Path)))
	}
	takenTwice(files)
	for i, s := range files {
		if s.err != nil && s.err.Error() != s.said {
			l.warn(ctx, s.err)
			told := *s
			told.said = s.err.Error()
			files[i] = &told
		}
	}
	l.shelf.mu.Lock()
	defer l.shelf.mu.Unlock()
	l.shelf.files, l.shelf.looked = files, true
	return nil
}

// read returns what is known of a file: what it was, if it is the same. A file
// that was found wanting is looked at again, since its surroundings can change,
// unless it was opened.
func (l *Loader[D]) read(f Found, before *shelved) *shelved {
	info, err := os.Stat(f.Path)
	same := err == nil && before != nil && before.sameAs(info)
	if same && (before.err == nil || before.ran) {
		return before
	}
	s := &shelved{Found: f}
	if before != nil {
		s.said = before.said
	}
	if err == nil {
		s.info = info
	}
	a, err := admit(f.Path, l.cfg)
	if err == nil {
		s.sum = a.sum()
		_, s.manifest, err = l.judge(a, "")
	}
	s.err = filled(f.Name, f.Path, err)
	return s
}

// takenTwice finds fault with a file that has name and version of an earlier
// one, but other bytes: which of them runs would be left to chance.
func takenTwice(files []*shelved) {
	type key struct{ name, version string }
	first := map[key]*shelved{}
	for i, s := range files {
		if s.err != nil {
			continue
		}
		k := key{s.manifest.Name, s.manifest.Version}
		other, ok := first[k]
		if !ok {
			first[k] = s
			continue
		}
		if s.sum != other.sum {
			twice := *s
			twice.err = &LoadError{Stage: StageFind, Driver: k.name, File: s.Path, Wanted: "one file of " + k.name + " " + k.version,
				Found: "another one, which is taken: " + other.Path, Remedy: "remove one of them, or give it a version of its own"}
			files[i] = &twice
		}
	}
}

// onShelf returns what is known of a path, or nil.
func (l *Loader[D]) onShelf(path string) *shelved {
	l.shelf.mu.Lock()
	defer l.shelf.mu.Unlock()
	if i := slices.IndexFunc(l.shelf.files, func(s *shelved) bool { return s.Path == path }); i >= 0 {
		return l.shelf.files[i]
	}
	return nil
}

// shelved returns the files of the last look. If there was none, it looks.
func (l *Loader[D]) shelved(ctx context.Context) ([]*shelved, error) {
	l.shelf.mu.Lock()
	files, looked := l.shelf.files, l.shelf.looked
	l.shelf.mu.Unlock()
	if looked {
		return files, nil
	}
	if err := l.look(ctx); err != nil {
		return nil, err
	}
	l.shelf.mu.Lock()
	defer l.shelf.mu.Unlock()
	return l.shelf.files, nil
}

// note remembers of a file in the directories that it failed, and tells whether
// the log should be told.
func (l *Loader[D]) note(path string, err error) (news bool) {
	le, ok := errors.AsType[*LoadError](err)
	if !ok {
		return false // the caller's context has ended
	}
	l.shelf.looking.Lock()
	defer l.shelf.looking.Unlock()
	info, serr := os.Stat(path)
	l.shelf.mu.Lock()
	defer l.shelf.mu.Unlock()
	i := slices.IndexFunc(l.shelf.files, func(s *shelved) bool { return s.Path == path })
	if i < 0 || serr != nil || !l.shelf.files[i].sameAs(info) {
		return true
	}
	changed := *l.shelf.files[i]
	news = changed.said != err.Error()
	changed.said = err.Error()
	if le.Stage != StageRegister { // which the registry knows, and which can change
		changed.err, changed.ran = err, opened(changed.sum)
	}
	l.shelf.files = slices.Clone(l.shelf.files)
	l.shelf.files[i] = &changed
	return news
}
