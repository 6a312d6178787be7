package loader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// staged is a private copy of a driver file that this process uses.
type staged struct {
	path string
	// use holds a lock that keeps every process from removing the copy: until
	// release, or until the process ends.
	use *os.File
}

func (s *staged) release() { s.use.Close() }

// stage puts the admitted bytes into the private cache and returns the copy.
// It is named by its content, so that one path never has two contents,
// processes share one file, and replacing the original can neither change nor
// crash what runs.
func stage(a *admitted, cfg Config) (*staged, error) {
	dir, refused := privateDir(cfg)
	if refused != nil {
		return nil, refused
	}
	path := filepath.Join(dir, a.sum()+".so")
	wrote := false
	// Others may remove the copy before it is taken, but not for ever.
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		use, state := take(path, a.bytes)
		if state == copyGood {
			now := time.Now()
			_ = os.Chtimes(path, now, now) // for prune; a cache that cannot be written is not pruned
			if wrote {
				prune(dir, cfg.CacheSize)
			}
			return &staged{path, use}, nil
		}
		if state == copyBusy {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if err := writeStaged(path, a.bytes, state == copyBad); err != nil {
			return nil, cacheFault(dir, int64(len(a.bytes)), err)
		}
		wrote = true
	}
	return nil, &LoadError{Stage: StageStage, Wanted: "a private copy of the driver file in " + dir,
		Found: "one that other processes remove or change again and again", Remedy: "let nothing else write to " + dir + ", or set loader.Config.CacheDir"}
}

// copyState is what take found.
type copyState int

const (
	copyGood copyState = iota
	copyAbsent
	copyBad  // there is something else
	copyBusy // it is being removed
)

// take locks the copy at a path for use. It is compared with the admitted
// bytes, not trusted: this costs less than hashing it.
func take(path string, content []byte) (*os.File, copyState) {
	f, err := openForReading(path, false)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// And not bad: prune would take what replaces it for what it has locked.
		return nil, copyAbsent
	case err != nil:
		return nil, copyBad
	}
	if !lockShared(f) {
		f.Close()
		return nil, copyBusy
	}
	info, err := f.Stat()
	state := copyBad
	switch {
	case err != nil || !private(info) || info.Size() != int64(len(content)):
	case !isAt(path, info):
		state = copyAbsent // removed before it was locked
	default:
		if same, err := readsAs(f, content); same && err == nil {
			return f, copyGood
		}
	}
	f.Close()
	return nil, state
}

// private tells of a regular file that nobody can write to: whoever could,
// could change what runs.
func private(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode().Perm()&0o222 == 0 && onlyOurs(info) == nil
}

// isAt tells whether a file is still the one at a path.
func isAt(path string, info fs.FileInfo) bool {
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, info)
}

// writeStaged writes a copy beside its path and then puts it there, whole. Of
// two processes that do so at once the first wins, so that both use one file;
// only what is bad is replaced.
func writeStaged(path string, content []byte, replace bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), newPrefix+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = protect(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil && !replace {
		if lerr := os.Link(f.Name(), path); lerr == nil || errors.Is(lerr, fs.ErrExist) {
			return os.Remove(f.Name())
		}
		// A file system without hard links.
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// errNotKept is that of a file system without owners and modes of its own, such
// as FAT and some network mounts, which may pretend to set them.
var errNotKept = errors.New("a file system that does not keep owners and modes")

// protect makes a new copy one that nobody can write to.
func protect(f *os.File) error {
	refused := chmod(f, 0o500)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if private(info) {
		return nil
	}
	found := "mode " + modeText(info.Mode())
	if uid, ok := ownerOf(info); ok {
		found = userText(uid) + ", " + found
	}
	err = fmt.Errorf("%w (a new file has %s, and not 0500)", errNotKept, found)
	if refused != nil {
		err = fmt.Errorf("%w: %w", err, refused)
	}
	return err
}

// chmod is what a test replaces by that of other file systems.
var chmod = (*os.File).Chmod

// readsAs tells whether a reader gives this content to its end. It holds a
// small part in memory, which costs half as much as to read the whole file.
func readsAs(r io.Reader, content []byte) (bool, error) {
	buf := make([]byte, 128<<10)
	for {
		n, err := r.Read(buf)
		if n > len(content) || !bytes.Equal(buf[:n], content[:n]) {
			return false, nil
		}
		content = content[n:]
		if errors.Is(err, io.EOF) {
			return len(content) == 0, nil
		}
		if err != nil {
			return false, err
		}
	}
}
