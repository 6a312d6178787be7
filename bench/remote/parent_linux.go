package remote

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel end a child when its parent is gone: go-plugin
// itself does so only when the parent calls Kill.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
