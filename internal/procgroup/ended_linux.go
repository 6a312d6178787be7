package procgroup

import (
	"errors"
	"syscall"
)

// awaitEnd waits for the end of a child and leaves it to be waited for. It
// returns false if nobody can wait for it, as when the process ignores SIGCHLD.
func awaitEnd(pid int) bool { return waitid(pid, 0) == nil }

// isReaped tells that a child was waited for already.
func isReaped(pid int) bool { return errors.Is(waitid(pid, syscall.WNOHANG), syscall.ECHILD) }

func waitid(pid, options int) error {
	const byPID = 1 // P_PID of waitid(2)
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPID, uintptr(pid), 0, uintptr(options|syscall.WEXITED|syscall.WNOWAIT), 0, 0)
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return errno
		}
	}
}
