//go:build unix && !linux

package rights

import (
	"errors"
	"syscall"
)

// Gained returns an error if this process has rights that its starter may not
// have. It cannot tell once the process has changed its own user.
func Gained() error {
	if syscall.Getuid() != syscall.Geteuid() || syscall.Getgid() != syscall.Getegid() {
		return errors.New("one that gains rights by being started (setuid or setgid)")
	}
	return nil
}
