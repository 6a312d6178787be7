//go:build linux

package loader

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/internal/trial"
)

// FuzzRecord has a record of a file that failed say anything: it is not believed,
// or it makes an error like any other.
func FuzzRecord(f *testing.F) {
	sum := strings.Repeat("a", 64)
	failure := &LoadError{Wanted: "init functions that return", Found: "no\x1bend", Err: &ProbeError{Doing: "open", TimedOut: true, Stderr: "x", When: time.Unix(1e9, 0)}}
	q := quarantine(filepath.Join(f.TempDir(), "quarantine"))
	file, err := q.remember(sum, contract.Manifest{Name: "x", Version: "1.0.0"}, time.Second, failure)
	require.NoError(f, err)
	text, err := os.ReadFile(file)
	require.NoError(f, err)
	_, ok := q.recall(sum, time.Second)
	require.True(f, ok)
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte(strings.Replace(string(text), "2001", "9999", 1)))
	program, err := thisProgram()
	require.NoError(f, err)
	f.Add([]byte(`{"SHA256":"` + sum + `","Program":"` + program + `","Evidence":{}}`))
	f.Add([]byte(`{"SHA256":"` + sum + `","Evidence":null}`))
	f.Add([]byte(strings.Repeat("[", 11_000)))
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(file, text, 0o600))
		r, ok := q.recall(sum, time.Second)
		if !ok {
			return
		}
		e := r.again(q)
		require.Equal(t, StageProbe, e.Stage)
		require.NotContains(t, e.Error(), "\n")
		require.NotEmpty(t, e.Remedy)
		evidence, ok := errors.AsType[*ProbeError](e)
		require.True(t, ok)
		require.NotEmpty(t, evidence.Error())
	})
}

// FuzzJudge has a child report anything, as a file can that knows where reports
// go: what is made of it is small, and is either no fault or a whole one.
func FuzzJudge(f *testing.F) {
	f.Add("leave", []byte(`{"Wanted":"w","Found":"f","Remedy":"r","Stack":"s","Behaviour":true}`), 0, "", "", "")
	f.Add("leave", []byte(`{}`), 0, "", "", "")
	f.Add("open", []byte(`null`), 2, "", "", "panic: \x1b[2J\nexit status 2\n")
	f.Add("NewDriver", []byte(`null`), -1, "SIGSEGV", "out", "")
	f.Add("dance", []byte(`null`), 0, "", "\x00\xff", "")
	f.Add("", []byte(`{"Found":"`+strings.Repeat("x", 1<<13)+`"}`), 1, "", "", "")
	f.Fuzz(func(t *testing.T, doing string, report []byte, code int, signal, stdout, stderr string) {
		r := &trial.Result{Doing: trial.Doing(doing), ExitCode: code, Signal: signal}
		if json.Unmarshal(report, &r.Fault) != nil {
			return
		}
		_, _ = r.Stdout.Write([]byte(stdout))
		_, _ = r.Stderr.Write([]byte(stderr))
		fault := judge(r, time.Second)
		if fault == nil {
			require.Zero(t, code)
			require.Empty(t, stdout)
			require.Nil(t, r.Fault)
			return
		}
		e := &LoadError{Stage: StageProbe, Wanted: fault.Wanted, Found: fault.Found, Remedy: fault.Remedy, Err: evidence(r, fault)}
		require.NotEmpty(t, e.Wanted)
		require.NotEmpty(t, e.Found)
		require.NotEmpty(t, e.Remedy)
		require.NotContains(t, e.Error(), "\n")
		pe, _ := errors.AsType[*ProbeError](e)
		text, err := json.Marshal(record{Wanted: e.Wanted, Found: e.Found, Evidence: pe})
		require.NoError(t, err)
		require.Less(t, len(text), maxRecord)
	})
}

// FuzzConstraint has a manifest ask for any versions of the contract, and an
// application for any of a driver.
func FuzzConstraint(f *testing.F) {
	for _, c := range []string{"^1.0", ">=1.0.0-0 <2", "1.x || ~2.3.0-rc.1", "*", "", "=v1", "1.0 - 2.0", ">1.0 <1.0", "^99999999999999999999.0",
		strings.Repeat("^1.0 || ", 100) + "^1.0", strings.Repeat(">0 ", 100), "1.0.0+" + strings.Repeat("a", 300)} {
		f.Add(c, "1.2.3")
	}
	f.Add("^1.0", "1.0.0-"+strings.Repeat("a.", 100)+"a")
	f.Fuzz(func(t *testing.T, constraint, version string) {
		if len(constraint)+len(version) > contract.MaxManifestSize {
			return
		}
		start := time.Now()
		m := contract.Manifest{Name: "x", Version: version, Contract: contract.ContractRef{Name: "sql", Version: constraint}}
		app, appErr := parseVersions(map[string]string{"x": constraint})
		err := agree("sql", "1.0.0", app, m, "x", "x.so")
		require.Less(t, time.Since(start), 5*time.Second)
		if err == nil {
			require.NoError(t, Accepts(constraint, "1.0.0"))
			return
		}
		e, ok := errors.AsType[*LoadError](err)
		require.True(t, ok)
		require.Equal(t, StageAgree, e.Stage)
		require.NotEmpty(t, e.Wanted)
		require.NotEmpty(t, e.Found)
		require.NotEmpty(t, e.Remedy)
		require.NotContains(t, e.Error(), "\n")
		if appErr == nil {
			require.Equal(t, Accepts(constraint, "1.0.0") == nil, e.Wanted == "version "+app.text("x")+" of driver x, as the application asks")
		}
	})
}
