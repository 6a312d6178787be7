package loader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// stage puts the admitted bytes into the private cache and returns the path of
// the copy. The copy is named by its content, so that one path never has two
// contents, processes share one file, and replacing the original can neither
// change nor crash what runs.
func stage(a *admitted, cacheDir string) (string, error) {
	if cacheDir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", &LoadError{Stage: StageStage, Wanted: "a cache directory for this user", Found: err.Error(),
				Remedy: "set loader.Config.CacheDir, XDG_CACHE_HOME or HOME", Err: err}
		}
		cacheDir = filepath.Join(base, "keyway", "staged")
	}
	path := filepath.Join(cacheDir, a.sum()+".so")
	if err := writeStaged(path, a.bytes); err != nil {
		return "", &LoadError{Stage: StageStage, Wanted: "a private copy of the driver file in " + cacheDir, Found: err.Error(),
			Remedy: "let this user write there, or set loader.Config.CacheDir", Err: err}
	}
	return path, nil
}

func writeStaged(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if err := onlyOurs(dir); err != nil {
		return fmt.Errorf("%s: %w", filepath.Dir(path), err)
	}
	// A copy that is there is compared, not trusted: this costs less than
	// hashing it.
	if same, err := hasContent(path, content); err != nil || same {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o500), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func hasContent(path string, content []byte) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// Whoever could write to the file could change what runs.
	if !info.Mode().IsRegular() || info.Size() != int64(len(content)) || info.Mode().Perm()&0o222 != 0 || onlyOurs(info) != nil {
		return false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return readsAs(f, content)
}

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
