//go:build linux || freebsd

package fsinfo

import (
	"io/fs"
	"runtime"
	"syscall"
)

// stat converts, since the types of the answer are not those of every system.
func stat(path string) (Info, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return Info{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	const linux, freebsd = 0x8, 0x4 // ST_NOEXEC, MNT_NOEXEC
	flag := uint64(linux)
	if runtime.GOOS == "freebsd" {
		flag = freebsd
	}
	return Info{NoExec: uint64(st.Flags)&flag != 0, Free: int64(st.Bavail) * int64(st.Bsize)}, nil
}
