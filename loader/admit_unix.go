//go:build unix

package loader

import (
	"io/fs"
	"os"
	"syscall"
)

// What the system says of paths and disks.
const (
	errLoop     = syscall.ELOOP
	errNotDir   = syscall.ENOTDIR
	errNoSpace  = syscall.ENOSPC
	errQuota    = syscall.EDQUOT
	errReadOnly = syscall.EROFS
)

// openForReading does not wait for the other end of a FIFO, and unless asked
// follows no link in the last component.
func openForReading(path string, followLinks bool) (*os.File, error) {
	flags := os.O_RDONLY | syscall.O_NONBLOCK
	if !followLinks {
		flags |= syscall.O_NOFOLLOW
	}
	return os.OpenFile(path, flags, 0)
}

// ownerOf returns the user that a file belongs to, if it can be told.
func ownerOf(info fs.FileInfo) (uid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, false
	}
	return int(st.Uid), true
}
