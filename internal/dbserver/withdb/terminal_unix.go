//go:build unix

package main

import (
	"os"
	"syscall"
	"unsafe"
)

// inForeground tells whether standard input is a terminal that sends its
// signals to this process's group.
func inForeground() bool {
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, os.Stdin.Fd(), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return errno == 0 && int(group) == syscall.Getpgrp()
}
