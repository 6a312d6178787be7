// Package procgroup ends a command together with the processes that it
// started.
package procgroup

import (
	"os/exec"
	"time"
)

// Own makes a command the leader of a process group of its own, and makes the
// end of its context kill the group. Call it before Start, with a command from
// exec.CommandContext. Whoever wants to kill what a command leaves behind waits
// for it with [Wait], since its number can be another's after cmd.Wait. On
// systems without process groups only the command itself is killed.
func Own(cmd *exec.Cmd) {
	own(cmd)
	cmd.Cancel = func() error { return Kill(cmd) }
	// Processes that were not killed may hold the output open.
	cmd.WaitDelay = 2 * time.Second
}
