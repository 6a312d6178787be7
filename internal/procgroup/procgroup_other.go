//go:build !unix

package procgroup

import (
	"os"
	"os/exec"
)

func own(*exec.Cmd) {}

// Kill kills the command.
func Kill(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// Wait is cmd.Wait.
func Wait(cmd *exec.Cmd) error { return cmd.Wait() }

// KillSelf ends this process.
func KillSelf() error {
	os.Exit(1)
	return nil
}
