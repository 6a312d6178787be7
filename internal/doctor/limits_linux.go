package doctor

import "syscall"

// numbers are those of the system; package syscall lacks the last.
var numbers = map[resource]int{limitFiles: syscall.RLIMIT_NOFILE, limitMemory: syscall.RLIMIT_AS, limitFileSize: syscall.RLIMIT_FSIZE, limitProcesses: 6}

func limitOf(r resource) (soft uint64, limited bool) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(numbers[r], &l); err != nil {
		return 0, false
	}
	return l.Cur, l.Cur != ^uint64(0)
}
