package gobuild

import (
	"io/fs"
	"os"
	"path/filepath"
)

// checkOut refuses to put a driver file in the place of what is no file: a
// directory cannot be replaced, and a device should not.
func checkOut(out, name string) error {
	info, err := os.Stat(out)
	if err != nil || info.Mode().IsRegular() {
		return nil // whether it can be written will be seen
	}
	e := &Error{Wanted: "the name of a file to write", Found: out + ", which is there and no regular file", Remedy: "name another file with -o"}
	if info.Mode().Type() == fs.ModeDir {
		e.Found, e.Remedy = out+", a directory", "-o "+filepath.Join(out, name)
	}
	return e
}
