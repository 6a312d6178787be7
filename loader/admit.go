package loader

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// admitted are the bytes of a driver file, read once. All stages after admit
// use them and not the file, which may change at any time.
type admitted struct {
	path  string
	bytes []byte
	sum   func() string // sha256 in hex, ready or waited for
}

// admit opens the file once, and accepts a regular file of a sane size that
// only those whom Config.Trust names can have changed.
func admit(path string, cfg Config) (*admitted, error) {
	content, err := admitBytes(path, cfg)
	if err != nil {
		err.Stage, err.File = StageAdmit, path
		return nil, err
	}
	a := &admitted{path: path, bytes: content}
	a.sum = sumLater(a.bytes)
	return a, nil
}

func admitBytes(path string, cfg Config) ([]byte, *LoadError) {
	f, refused := openDriver(path, cfg)
	if refused != nil {
		return nil, refused
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, pathFault(path, err)
	}
	if refused := kindFault(path, info); refused != nil {
		return nil, refused
	}
	if cfg.Trust != nil {
		// Of the opened file, whatever its path has come to mean.
		if refused := cfg.Trust.refuse("a driver file", cfg.Trust.faults(f.Name(), info, false)); refused != nil {
			return nil, refused
		}
	}
	switch {
	case info.Size() == 0:
		return nil, &LoadError{Wanted: "a driver file", Found: "an empty file", Remedy: "copy or build the file again"}
	case info.Size() > cfg.MaxSize:
		return nil, &LoadError{Wanted: fmt.Sprintf("at most %d bytes", cfg.MaxSize), Found: fmt.Sprintf("%d bytes", info.Size()),
			Remedy: "raise loader.Config.MaxSize if the file is right"}
	}
	return readWhole(f, info)
}

// openDriver opens a driver file. Its kind is looked at before, since to open a
// device can do things, and again by the caller, who knows what was opened.
func openDriver(path string, cfg Config) (*os.File, *LoadError) {
	follow := cfg.FollowLinks
	if cfg.Trust != nil {
		resolved, refused := cfg.Trust.resolve("a driver file", path, follow)
		if refused != nil {
			return nil, refused
		}
		path, follow = resolved, false
	}
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	info, err := look(path)
	if err != nil {
		return nil, pathFault(path, err)
	}
	if refused := kindFault(path, info); refused != nil {
		return nil, refused
	}
	f, err := openForReading(path, follow)
	if err != nil {
		return nil, pathFault(path, err)
	}
	return f, nil
}

// headSize is how much stage inspect needs to tell what is no ELF file.
const headSize = 64

// readWhole reads the file to its end and refuses one that changes meanwhile:
// its bytes would be those of no file that anybody has built. Of what is no ELF
// file it reads no more than the head, since it may be of any size and empty but
// for that.
func readWhole(f *os.File, before fs.FileInfo) ([]byte, *LoadError) {
	const remedy = "wait until the file is written, and replace driver files by renaming, not by overwriting"
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(f, headSize))
	if n == headSize && !bytes.HasPrefix(buf.Bytes(), []byte(elf.ELFMAG)) {
		return buf.Bytes(), nil
	}
	if err == nil {
		// One byte more than the size tells of a file that grows.
		rest := max(before.Size()-n, 0) + 1
		buf.Grow(int(rest) + bytes.MinRead)
		var more int64
		more, err = io.Copy(&buf, io.LimitReader(f, rest))
		n += more
	}
	if err != nil {
		return nil, &LoadError{Wanted: "a readable file", Found: err.Error(), Remedy: "check the disk, and copy the file again", Err: err}
	}
	if n != before.Size() {
		found := fmt.Sprintf("%d bytes when it was read", n)
		if n > before.Size() {
			found = "more when it was read"
		}
		return nil, &LoadError{Wanted: fmt.Sprintf("the %d bytes that the file had when it was opened", before.Size()), Found: found, Remedy: remedy}
	}
	after, err := f.Stat()
	if err != nil {
		return nil, &LoadError{Wanted: "a readable file", Found: err.Error(), Remedy: "check the disk, and copy the file again", Err: err}
	}
	if !after.ModTime().Equal(before.ModTime()) || after.Size() != before.Size() {
		return nil, &LoadError{Wanted: "a file that nobody writes to", Found: "one that was written to while it was read", Remedy: remedy}
	}
	return buf.Bytes(), nil
}

// sumLater hashes on another core while the next stages read the same bytes.
func sumLater(b []byte) func() string {
	var sum string
	var wg sync.WaitGroup
	wg.Go(func() {
		h := sha256.Sum256(b)
		sum = hex.EncodeToString(h[:])
	})
	return func() string {
		wg.Wait()
		return sum
	}
}

// pathFault tells what it means that a path could not be looked up or opened.
func pathFault(path string, err error) *LoadError {
	e := &LoadError{Wanted: "a readable file", Found: err.Error(), Remedy: "check the path", Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Wanted, e.Found = "a driver file", "no such file"
		if target, lerr := os.Readlink(path); lerr == nil {
			e.Found = "a symbolic link to " + target + ", and no such file"
			e.Remedy = "let the link name a driver file: ln -sfn FILE " + shellWord(path)
		}
	case errors.Is(err, fs.ErrPermission):
		e.Wanted, e.Found, e.Remedy = "a file that this user can read", "permission denied", "chmod a+r "+shellWord(path)
	case errors.Is(err, errLoop):
		e.Wanted, e.Found = "a driver file", "a loop of symbolic links"
		e.Remedy = "let the link name a driver file: ln -sfn FILE " + shellWord(path)
	}
	return e
}

// kindFault refuses what is no regular file.
func kindFault(path string, info fs.FileInfo) *LoadError {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return &LoadError{Wanted: "a driver file", Found: "a directory",
			Remedy: "name the .so file; to build a driver's directory: drivercheck build " + shellWord(path)}
	case mode&fs.ModeSymlink != 0:
		return &LoadError{Wanted: "a file that is not a symbolic link", Found: "a symbolic link",
			Remedy: "give the path of the file itself, or set loader.Config.FollowLinks"}
	default:
		return &LoadError{Wanted: "a regular file", Found: "a " + kindOf(mode), Remedy: "put the driver file itself there"}
	}
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "FIFO"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}
