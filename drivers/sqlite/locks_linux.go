package sqlite

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	upstream "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ownLocks makes the locks on database files this copy of SQLite's own. Locks of
// the usual kind belong to the process: two copies of SQLite in one, such as two
// versions of this driver, do not see each other's, and write a database at the
// same time until it is malformed. So SQLite takes locks that belong to an open
// file, where the system has them and SQLite has taken no other ones before.
// Between processes nothing changes; both kinds exclude each other.
//
// It is done once, before the first database is opened.
var ownLocks = sync.OnceFunc(func() {
	if _, err := upstream.OFDLocking(true); err != nil {
		return
	}
	// That is for the database file. In WAL mode it is locks on the -shm file
	// that keep writers apart.
	tls := libc.NewTLS()
	defer tls.Close()
	vfs := sqlite3.Xsqlite3_vfs_find(tls, 0) // the default, whose system calls the others share
	if vfs == 0 {
		return
	}
	name, err := libc.CString("fcntl")
	if err != nil {
		return
	}
	defer libc.Xfree(tls, name)
	replacement := fcntl
	set := (*sqlite3.Tsqlite3_vfs)(pointer(vfs)).FxSetSystemCall
	(*(*func(*libc.TLS, uintptr, uintptr, uintptr) int32)(unsafe.Pointer(&struct{ uintptr }{set})))(tls, vfs, name, *(*uintptr)(unsafe.Pointer(&replacement)))
})

// fcntl is what SQLite calls in the place of the function of that name. All
// locks that a copy of SQLite has on a -shm file it takes through one open file,
// so these need nothing but the other command. args points to the argument,
// which for a lock points to its description.
func fcntl(tls *libc.TLS, fd, cmd int32, args uintptr) int32 {
	own := cmd
	switch cmd {
	case sqlite3.F_SETLK:
		own = sqlite3.F_OFD_SETLK
	case sqlite3.F_GETLK:
		own = sqlite3.F_OFD_GETLK
	}
	// What cannot lock a database file in this way cannot a -shm file either, and
	// upstream tries the former first.
	if own == cmd || sqlite3.Xmodernc_ofd_locking(tls, -1) != 1 {
		return libc.Xfcntl(tls, fd, cmd, args)
	}
	lock := *(*uintptr)(pointer(args))
	(*sqlite3.Tflock)(pointer(lock)).Fl_pid = 0 // or the kernel refuses the command
	return libc.Xfcntl(tls, fd, own, args)
}

// pointer is memory that is not Go's.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }
