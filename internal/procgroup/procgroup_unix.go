//go:build unix

package procgroup

import (
	"os"
	"os/exec"
	"syscall"
)

func own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// A test sees what is killed when.
var kill = syscall.Kill

// Kill kills the group of a command that was started. Once the command was
// waited for, its number may be another's, and the error is os.ErrProcessDone.
func Kill(cmd *exec.Cmd) error {
	if isReaped(cmd.Process.Pid) {
		return os.ErrProcessDone
	}
	return kill(-cmd.Process.Pid, syscall.SIGKILL)
}

// Wait is cmd.Wait for a command started with Own, and kills what is left of its
// group when the command itself has ended.
func Wait(cmd *exec.Cmd) error {
	group := -cmd.Process.Pid
	if awaitEnd(cmd.Process.Pid) {
		// Until the command is waited for, the number is the group's.
		_ = kill(group, syscall.SIGKILL)
		return cmd.Wait()
	}
	// Nor is it given out while a process of the group lives; of an empty group
	// it could be, if all other numbers were since cmd.Wait.
	err := cmd.Wait()
	_ = kill(group, syscall.SIGKILL)
	return err
}

// KillSelf kills the group of this process, for a command started with Own
// whose parent is gone.
func KillSelf() error { return syscall.Kill(0, syscall.SIGKILL) }
