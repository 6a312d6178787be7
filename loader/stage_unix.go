//go:build unix

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// onlyOurs returns an error if a user other than this process's own can write
// to a file or directory.
func onlyOurs(info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("belongs to user %d, not to this process's user %d", st.Uid, os.Geteuid())
	}
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others may write to it; chmod go-w")
	}
	return nil
}

// lockShared locks a file together with others who do so, and returns false
// while somebody has it alone. The lock ends with the file's descriptor. Where
// there are no locks there is no lockAlone either, and nothing to fear.
func lockShared(f *os.File) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR)
}

// lockAlone locks a file if nobody else has it locked.
func lockAlone(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
