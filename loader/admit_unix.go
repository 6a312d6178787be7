//go:build unix

package loader

import (
	"os"
	"syscall"
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
