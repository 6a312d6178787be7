//go:build linux

package loader

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/loader/internal/trial"
)

// This test binary does not import loader/probe.
func TestProbeNeedsTheImport(t *testing.T) {
	_, err := New(Config{Probe: true, ProbeTimeout: -time.Second})
	require.ErrorContains(t, err, `import _ "github.com/keyway-go/keyway/loader/probe"`)
	require.ErrorContains(t, err, "loader: ProbeTimeout is negative: -1s")
	_, err = New(Config{ProbeTimeout: time.Second})
	require.NoError(t, err)
}

// What a child that came to the end of its job can still do wrong.
func TestJudgeTheEnd(t *testing.T) {
	fault := judge(&trial.Result{Doing: trial.Leave, ExitCode: 66}, time.Second)
	require.Equal(t, &trial.Fault{Wanted: "an exit with status 0", Found: "exit status 66 in a child process", Remedy: reportIt, Behaviour: true}, fault)
	fault = judge(&trial.Result{Doing: trial.Leave, ExitCode: -1, Signal: "SIGABRT"}, time.Second)
	require.Equal(t, "SIGABRT in a child process", fault.Found)
	fault = judge(&trial.Result{Doing: trial.Leave, ExitCode: -1, Signal: "SIGKILL", TimedOut: true}, time.Second)
	require.Equal(t, "a process that can exit", fault.Wanted)
	require.Equal(t, "no end within 1s in a child process", fault.Found)
	require.Contains(t, fault.Remedy, "ProbeTimeout")
	require.Nil(t, judge(&trial.Result{Doing: trial.Leave}, time.Second))
}

// What the dynamic linker refuses may be the machine's fault, such as a
// library that is missing today.
func TestTryRefused(t *testing.T) {
	var did []trial.Doing
	fault := try(trial.Job{File: write(t, "text.so", []byte("text")), Driver: "x"}, func(d trial.Doing) { did = append(did, d) })
	require.NotNil(t, fault)
	require.Equal(t, "a plugin that the runtime accepts", fault.Wanted)
	require.False(t, fault.Behaviour)
	require.Equal(t, []trial.Doing{trial.Open}, did)
}
