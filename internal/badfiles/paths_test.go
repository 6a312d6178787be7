//go:build linux

package badfiles_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/loader"
)

// paths are those that lead to no driver file, or to one that is being written.
func paths(t *testing.T) []bad {
	dir, file := t.TempDir(), good(t)
	at := func(name string) step { return step{File: filepath.Join(dir, name)} }
	require.NoError(t, syscall.Mkfifo(at("fifo").File, 0o644))
	require.NoError(t, os.Symlink(file, at("link").File))
	require.NoError(t, os.Symlink("nowhere", at("dangling").File))
	require.NoError(t, os.Symlink("loop", at("loop").File))
	require.NoError(t, os.Symlink("fifo", at("link to a FIFO").File))
	require.NoError(t, os.WriteFile(at("empty").File, nil, 0o644))
	following := func(name string) step {
		s := at(name)
		s.Config.FollowLinks = true
		return s
	}
	socket, err := net.Listen("unix", at("socket").File)
	require.NoError(t, err)
	t.Cleanup(func() { socket.Close() })
	changing := func(how string) step {
		s := at(how)
		require.NoError(t, os.WriteFile(s.File, read(t, file), 0o644))
		require.NoError(t, os.Truncate(s.File, 64<<20)) // takes some time to read, and no room on the disk
		s.While = how
		return s
	}
	all := []bad{
		{name: "no such file", step: at("missing.so"), wanted: "a driver file", found: "no such file", remedy: "check the path", is: "not-exist"},
		{name: "NUL in the name", step: at("a\x00b"), found: "invalid argument"},
		{name: "name that is too long", step: at(string(make([]byte, 300)) + ".so"), found: "invalid argument"},
		{name: "directory", step: step{File: dir}, found: "a directory", remedy: "drivercheck build " + dir},
		{name: "device", step: step{File: "/dev/null"}, wanted: "a regular file", found: "a device"},
		{name: "terminal", step: step{File: "/dev/tty"}, wanted: "a regular file", found: "a device"},
		{name: "FIFO", step: at("fifo"), wanted: "a regular file", found: "a FIFO"},
		{name: "link to a FIFO", step: following("link to a FIFO"), wanted: "a regular file", found: "a FIFO"},
		{name: "socket", step: at("socket"), wanted: "a regular file", found: "a socket"},
		{name: "link", step: at("link"), found: "a symbolic link", remedy: "FollowLinks"},
		{name: "link to nothing", step: at("dangling"), found: "a symbolic link", remedy: "FollowLinks"},
		{name: "link to nothing that is followed", step: following("dangling"), wanted: "a driver file", found: "a symbolic link to nowhere, and no such file", remedy: "ln -sfn", is: "not-exist"},
		{name: "loop of links", step: at("loop"), found: "a symbolic link", remedy: "FollowLinks"},
		{name: "loop of links that is followed", step: following("loop"), wanted: "a driver file", found: "a loop of symbolic links", remedy: "ln -sfn"},
		{name: "below a file", step: step{File: filepath.Join(file, "x.so")}, found: "not a directory", remedy: "check the path"},
		{name: "empty file", step: at("empty"), found: "an empty file"},
		{name: "file of the kernel", step: step{File: "/proc/self/maps"}, found: "an empty file"},
		{name: "memory of the process", step: step{File: "/proc/self/mem"}, found: "an empty file"},
		{name: "too large", step: step{File: file, Config: loader.Config{MaxSize: 1000}}, wanted: "at most 1000 bytes", remedy: "MaxSize"},
		{name: "file that grows", step: changing("grows"), found: "read", remedy: "renaming"},
		{name: "file that shrinks", step: changing("shrinks"), found: "read", remedy: "renaming"},
	}
	for i := range all {
		all[i] = refusedAt(loader.StageAdmit, all[i])
	}
	all = append(all, refusedAt(loader.StageFind, bad{name: "name as a path", step: step{Name: "../good"}, driver: "../good", found: `"../good"`, remedy: "by its name"}))
	for i := range all {
		all[i].family = "path"
	}
	return all
}

// changes are what can happen to a file while it is read, step by step.
var changes = map[string]func(f *os.File, size int64, i int64) error{
	"grows":   func(f *os.File, size, i int64) error { return f.Truncate(size + i) },
	"shrinks": func(f *os.File, size, i int64) error { return f.Truncate(size - i) },
}

// meanwhile changes a file until the function that it returns is called. The
// first change was made when it returns.
func meanwhile(file string, change func(f *os.File, size, i int64) error) (end func()) {
	begun, stop, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		info, err := f.Stat()
		for i := int64(1); err == nil; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err = change(f, info.Size(), i); i == 1 {
				close(begun)
			}
		}
		panic(err)
	}()
	<-begun
	return func() { close(stop); <-done }
}
