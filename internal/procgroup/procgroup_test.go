//go:build linux

package procgroup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// state is the letter of a process's state, or "" if there is none.
func state(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	letter, _, _ := strings.Cut(rest, " ")
	return letter
}

// watchKill records the state in which the leader is whenever its group is
// killed.
func watchKill(t *testing.T) *[]string {
	t.Helper()
	var states []string
	var mu sync.Mutex // protects states
	kill = func(pid int, s syscall.Signal) error {
		mu.Lock()
		defer mu.Unlock()
		states = append(states, state(-pid))
		return syscall.Kill(pid, s)
	}
	t.Cleanup(func() { kill = syscall.Kill })
	return &states
}

// start runs a shell script as a group of its own.
func start(ctx context.Context, t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	Own(cmd)
	require.NoError(t, cmd.Start())
	return cmd
}

// What the command leaves is killed while the number is still the group's, and
// nothing is killed once it may be another's.
func TestWaitKillsWhatIsLeft(t *testing.T) {
	file := t.TempDir() + "/pid"
	states := watchKill(t)
	cmd := start(t.Context(), t, "sleep 300 & echo $! >"+file+"; exit 3")
	err := Wait(cmd)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 3, exit.ExitCode())
	require.Equal(t, []string{"Z"}, *states)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var left int
	_, err = fmt.Sscan(string(text), &left)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Trim(state(left), "ZX") == "" }, 10*time.Second, 5*time.Millisecond)

	require.ErrorIs(t, Kill(cmd), os.ErrProcessDone)
	require.Len(t, *states, 1)
}

func TestContextKillsTheGroup(t *testing.T) {
	states := watchKill(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := start(ctx, t, "sleep 300 & wait")
	cancel()
	require.Error(t, Wait(cmd))
	require.True(t, cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled())
	require.NotContains(t, *states, "", "it was killed after it was waited for")
	require.ErrorIs(t, Kill(cmd), os.ErrProcessDone)
}
