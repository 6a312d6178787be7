//go:build unix

package procgroup

import (
	"os/exec"
	"syscall"
)

func own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Kill kills what is left of the group of a command that was started.
func Kill(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// KillSelf kills the group of this process, for a command started with Own
// whose parent is gone.
func KillSelf() error { return syscall.Kill(0, syscall.SIGKILL) }
