//go:build unix

package dbserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is the user as whom a server runs; nil stands for this process's.
type account struct{ uid, gid int }

// placeFor returns the directory in which to make a server's, and as whom: nil
// for this process's user, or if that is root the first of users that exists.
func placeFor(users []string) (parent string, a *account, err error) {
	if os.Geteuid() == 0 {
		if a, err = firstUser(users); err != nil {
			return "", nil, err
		}
	}
	return parentDir(a), a, nil
}

func firstUser(names []string) (*account, error) {
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.Atoi(u.Uid)
		gid, gerr := strconv.Atoi(u.Gid)
		if err := errors.Join(uerr, gerr); err != nil {
			return nil, err
		}
		return &account{uid, gid}, nil
	}
	return nil, fmt.Errorf("a database server does not run as root, and none of the users %v exists", names)
}

// parentDir is the directory for temporary files, or /tmp where that is too
// long for a socket's path, has characters with a meaning in DSNs, or is out of
// reach for the account.
func parentDir(a *account) string {
	const (
		longest = 60 // of the 107 characters that a socket's path may have
		plain   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+"
	)
	parent := os.TempDir()
	if abs, err := filepath.Abs(parent); err == nil {
		parent = abs
	}
	if len(parent) > longest || strings.Trim(parent, plain) != "" || a != nil && !isForAll(parent) {
		return "/tmp"
	}
	return parent
}

// isForAll tells whether every user may make files in a directory, and remove
// their own only: else somebody could put another directory in the server's
// place, which root removes at the end.
func isForAll(dir string) bool {
	allowed := func(dir string, bits os.FileMode) bool {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&bits != bits {
			return false
		}
		return info.Mode()&0o002 == 0 || info.Mode()&os.ModeSticky != 0
	}
	if !allowed(dir, 0o007) {
		return false
	}
	for dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		if !allowed(dir, 0o001) {
			return false
		}
	}
	return true
}

// become makes a command run as the account, in a session of its own.
func (a *account) become(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
}

// killSession kills the group of a command that began a session.
func killSession(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
