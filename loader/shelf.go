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
	mu     sync.Mutex // protects following fields, and what the entries hold
	files  []*shelved // in the order of Find
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
	// ran tells that err comes from a stage that ran the file. It is not run
	// again unasked before it changes.
	ran bool
}

// sameAs tells whether the file is the one that was read, as far as a file
// system tells.
func (s *shelved) sameAs(info fs.FileInfo) bool {
	return s.info != nil && os.SameFile(s.info, info) && s.info.Size() == info.Size() && s.info.ModTime().Equal(info.ModTime())
}

// look reads what is new in the directories. A file that cannot be loaded is
// no error here, but its own.
func (l *Loader[D]) look(ctx context.Context) error {
	found, err := Find(l.cfg.Dirs...)
	if err != nil {
		return err
	}
	known := map[string]*shelved{}
	l.shelf.mu.Lock()
	for _, s := range l.shelf.files {
		known[s.Path] = s
	}
	l.shelf.mu.Unlock()
	files := make([]*shelved, 0, len(found))
	for _, f := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		files = append(files, l.read(ctx, f, known[f.Path]))
	}
	takenTwice(files)
	l.shelf.mu.Lock()
	defer l.shelf.mu.Unlock()
	l.shelf.files, l.shelf.looked = files, true
	return nil
}

// read returns what is known of a file: what it was, if it is the same. A file
// that was found wanting is looked at again, since its surroundings can change,
// unless it was run.
func (l *Loader[D]) read(ctx context.Context, f Found, before *shelved) *shelved {
	info, err := os.Stat(f.Path)
	if err == nil && before != nil && before.sameAs(info) && (before.err == nil || before.ran) {
		return before
	}
	s := &shelved{Found: f}
	if err == nil {
		s.info = info
	}
	a, err := admit(f.Path, l.cfg)
	if err == nil {
		s.sum = a.sum()
		_, s.manifest, err = l.judge(a, "")
	}
	s.err = err
	if err != nil && (before == nil || before.err == nil || before.err.Error() != err.Error()) {
		s.err = l.failed(ctx, f.Name, f.Path, err)
	}
	return s
}

// takenTwice finds fault with a file that has name and version of an earlier
// one, but other bytes: which of them runs would be left to chance.
func takenTwice(files []*shelved) {
	type key struct{ name, version string }
	first := map[key]*shelved{}
	for _, s := range files {
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
			s.err = &LoadError{Stage: StageFind, Driver: k.name, File: s.Path, Wanted: "one file of " + k.name + " " + k.version,
				Found: "another one, which is taken: " + other.Path, Remedy: "remove one of them, or give it a version of its own"}
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

// note remembers of a file in the directories that it failed.
func (l *Loader[D]) note(path string, err error) {
	le, ok := errors.AsType[*LoadError](err)
	if !ok {
		return // the caller's context has ended
	}
	info, serr := os.Stat(path)
	l.shelf.mu.Lock()
	defer l.shelf.mu.Unlock()
	i := slices.IndexFunc(l.shelf.files, func(s *shelved) bool { return s.Path == path })
	if i < 0 || serr != nil || !l.shelf.files[i].sameAs(info) {
		return
	}
	changed := *l.shelf.files[i]
	changed.err, changed.ran = err, slices.Contains([]Stage{StageProbe, StageOpen, StageBind, StageRegister}, le.Stage)
	l.shelf.files[i] = &changed
}
