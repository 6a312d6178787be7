//go:build cgo && !libsqlite3

// System calls in the place of those that SQLite makes, with locks on database
// files that belong to this copy of SQLite. locks_linux.go says why.
//
// SQLite expects locks to be the process's: it takes one by one descriptor of a
// file and gives it back by another. So one open file more, for each file that
// SQLite locks, holds all its locks. It lives until SQLite has closed every
// descriptor by which it locked the file.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE // F_OFD_SETLK and its like
#endif
#define _FILE_OFFSET_BITS 64 // SQLite's struct flock

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// What is used of sqlite3.h, which the compiler finds for upstream only.

typedef void (*syscall_ptr)(void);

struct sqlite3_vfs {
	int iVersion;
	int szOsFile, mxPathname;
	void *pNext, *zName, *pAppData;
	void (*version1[12])(void), (*version2)(void);
	int (*xSetSystemCall)(struct sqlite3_vfs *, const char *name, syscall_ptr);
	syscall_ptr (*xGetSystemCall)(struct sqlite3_vfs *, const char *name);
};

#define SQLITE_MISUSE 21

int sqlite3_config(int, ...);
int sqlite3_initialize(void);
struct sqlite3_vfs *sqlite3_vfs_find(const char *);

static int (*next_fcntl)(int, int, ...);
static int (*next_close)(int);

// file is one that SQLite locks.
struct file {
	dev_t dev;
	ino_t ino;
	int users;         // descriptors by which SQLite has locked it
	int lockfd;        // holds all locks; or USUAL
	int readonly;      // lockfd cannot hold write locks
	struct flock held; // while it is so: the read lock between two calls of SQLite, which has but one then
	struct file *next;
};

enum { USUAL = -1 }; // locks are the process's, since others cannot be had

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; // protects following variables and what they lead to
static struct file *files;
static struct file **of; // by descriptor
static int of_len;

static int is_readonly(int fd) { return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY; }

static int unlock_all(int fd) {
	struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	return fcntl(fd, F_OFD_SETLK, &all);
}

// reopen makes a new open file of a descriptor's file. It is none of the standard
// descriptors, so what a program prints does not go into a database: SQLite has
// filled those that were free when it opened the file.
static int reopen(int fd) {
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, (is_readonly(fd) ? O_RDONLY : O_RDWR) | O_CLOEXEC);
}

// acquire gives a file its lockfd. It fails where it might not the next time.
static int acquire(struct file *f, int fd) {
	struct stat st;
	f->lockfd = reopen(fd);
	if (f->lockfd < 0) {
		f->lockfd = USUAL; // no /proc, or no right to open the file any more
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EINTR ? -1 : 0;
	}
	int other = fstat(f->lockfd, &st) || st.st_dev != f->dev || st.st_ino != f->ino;
	if (other || (unlock_all(f->lockfd) && errno == EINVAL)) {
		close(f->lockfd);
		f->lockfd = USUAL;
	} else {
		f->readonly = is_readonly(fd);
	}
	return 0;
}

// upgrade makes a lockfd that was read-only able to hold the write locks of a
// descriptor, and lets go of no lock.
static int upgrade(struct file *f, int fd) {
	if (is_readonly(fd)) {
		errno = EBADF; // as fcntl would say
		return -1;
	}
	int writable = reopen(fd), err = 0;
	if (writable < 0)
		return -1;
	if (f->held.l_type == F_RDLCK && fcntl(writable, F_OFD_SETLK, &f->held))
		err = errno;
	if (!err) {
		unlock_all(f->lockfd);
		if (dup3(writable, f->lockfd, O_CLOEXEC) < 0)
			err = errno;
		else
			f->readonly = 0;
	}
	close(writable);
	errno = err;
	return err ? -1 : 0;
}

// file_of returns the file of a descriptor, or NULL with errno.
static struct file *file_of(int fd) {
	struct stat st;
	struct file *f = files;
	if (fd < of_len && of[fd])
		return of[fd];
	if (fstat(fd, &st))
		return NULL;
	if (fd >= of_len) {
		struct file **longer = realloc(of, (fd + 1) * sizeof *of);
		if (!longer)
			return NULL;
		for (of = longer; of_len <= fd; of_len++)
			of[of_len] = NULL;
	}
	while (f && (f->dev != st.st_dev || f->ino != st.st_ino))
		f = f->next;
	if (!f) {
		if (!(f = calloc(1, sizeof *f)))
			return NULL;
		f->dev = st.st_dev;
		f->ino = st.st_ino;
		f->held.l_type = F_UNLCK;
		if (acquire(f, fd)) {
			free(f);
			return NULL;
		}
		f->next = files;
		files = f;
	}
	f->users++;
	return of[fd] = f;
}

// remember notes which read lock is held through a read-only lockfd.
static void remember(struct file *f, const struct flock *lock) {
	if (lock->l_type == F_RDLCK)
		f->held = *lock;
	else if (!lock->l_len || (lock->l_start == f->held.l_start && lock->l_len == f->held.l_len))
		f->held.l_type = F_UNLCK;
}

static int own_fcntl(int fd, int cmd, ...) {
	va_list args;
	va_start(args, cmd);
	void *arg = va_arg(args, void *);
	va_end(args);
	int own = cmd == F_SETLK ? F_OFD_SETLK : cmd == F_SETLKW ? F_OFD_SETLKW : cmd == F_GETLK ? F_OFD_GETLK : -1;
	if (fd < 0 || own < 0)
		return next_fcntl(fd, cmd, arg);
	struct flock *lock = arg;
	pthread_mutex_lock(&mutex);
	struct file *f = file_of(fd);
	int failed = !f || (f->readonly && cmd != F_GETLK && lock->l_type == F_WRLCK && upgrade(f, fd));
	int lockfd = failed ? USUAL : f->lockfd;
	int err = errno;
	// Who waits for a lock must not hold up those who give one back. The file
	// does not go meanwhile: fd is one of its users.
	pthread_mutex_unlock(&mutex);
	if (failed) {
		errno = err;
		return -1;
	}
	if (lockfd == USUAL)
		return next_fcntl(fd, cmd, arg);
	lock->l_pid = 0; // or the kernel refuses the command
	int result = fcntl(lockfd, own, lock);
	if (!result && cmd != F_GETLK) {
		pthread_mutex_lock(&mutex);
		if (f->readonly)
			remember(f, lock);
		pthread_mutex_unlock(&mutex);
	}
	return result;
}

// release takes a descriptor from its file.
static void release(int fd) {
	struct file *f = of[fd], **at = &files;
	of[fd] = NULL;
	if (--f->users)
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (f->lockfd != USUAL) {
		unlock_all(f->lockfd); // a child between fork and exec has it open, too
		close(f->lockfd);
	}
	free(f);
}

static int own_close(int fd) {
	pthread_mutex_lock(&mutex);
	if (fd >= 0 && fd < of_len && of[fd])
		release(fd);
	pthread_mutex_unlock(&mutex);
	return next_close(fd);
}

void keyway_sqlite3_own_locks(void) {
	// No option has this number, so it says only whether SQLite is in use.
	if (sqlite3_config(-1) == SQLITE_MISUSE || sqlite3_initialize())
		return;
	struct sqlite3_vfs *vfs = sqlite3_vfs_find("unix"); // whose system calls the others share
	if (!vfs || vfs->iVersion < 3)
		return;
	next_fcntl = (int (*)(int, int, ...))vfs->xGetSystemCall(vfs, "fcntl");
	next_close = (int (*)(int))vfs->xGetSystemCall(vfs, "close");
	vfs->xSetSystemCall(vfs, "close", (syscall_ptr)own_close);
	vfs->xSetSystemCall(vfs, "fcntl", (syscall_ptr)own_fcntl);
}
