package loader

import (
	"bytes"
	"crypto/sha256"
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

// admit opens the file once, and accepts a regular file of a sane size.
func admit(path string, cfg Config) (*admitted, error) {
	refuse := func(wanted, found, remedy string, err error) (*admitted, error) {
		return nil, &LoadError{Stage: StageAdmit, File: path, Wanted: wanted, Found: found, Remedy: remedy, Err: err}
	}
	f, err := openForReading(path, cfg.FollowLinks)
	if err != nil {
		return refuse(openFault(path, cfg.FollowLinks, err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return refuse("a driver file", err.Error(), "check the path", err)
	}
	switch {
	case info.IsDir():
		return refuse("a driver file", "a directory", "name the .so file; to build a driver's directory: drivercheck build "+path, nil)
	case !info.Mode().IsRegular():
		return refuse("a regular file", "a "+kindOf(info.Mode()), "put the driver file itself there", nil)
	case info.Size() == 0:
		return refuse("a driver file", "an empty file", "copy or build the file again", nil)
	case info.Size() > cfg.MaxSize:
		return refuse(fmt.Sprintf("at most %d bytes", cfg.MaxSize), fmt.Sprintf("%d bytes", info.Size()), "raise loader.Config.MaxSize if the file is right", nil)
	}
	// One byte more than the size tells of a file that grows meanwhile.
	buf := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	n, err := io.Copy(buf, io.LimitReader(f, info.Size()+1))
	if err != nil {
		return refuse("a readable file", err.Error(), "check the disk, and copy the file again", err)
	}
	if n != info.Size() {
		return refuse(fmt.Sprintf("the %d bytes that the file had when it was opened", info.Size()), fmt.Sprintf("%d bytes", n),
			"wait until the file is written, and replace driver files by renaming, not by overwriting", nil)
	}
	a := &admitted{path: path, bytes: buf.Bytes()}
	a.sum = sumLater(a.bytes)
	return a, nil
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

// openFault tells what an error of openForReading means: wanted, found, remedy.
func openFault(path string, followLinks bool, err error) (wanted, found, remedy string, cause error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "a driver file", "no such file", "check the path", err
	case errors.Is(err, fs.ErrPermission):
		return "a file that this user can read", "permission denied", "chmod a+r " + path, err
	case !followLinks && isLink(path):
		return "a file that is not a symbolic link", "a symbolic link", "give the path of the file itself, or set loader.Config.FollowLinks", err
	}
	return "a readable file", err.Error(), "check the path", err
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
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
