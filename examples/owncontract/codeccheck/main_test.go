package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/examples/owncontract/codec/codecsuite"
	"github.com/keyway-go/keyway/internal/fixture"
)

// command builds the program, as its user would.
func command(t *testing.T) string {
	t.Helper()
	fixture.Host(t) // skips where there are no driver files
	program := filepath.Join(t.TempDir(), "codeccheck")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// check runs a verb of the program.
func check(t *testing.T, program string, args ...string) (code int, stdout []byte, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.Bytes(), errs.String()
	}
	require.NoError(t, err)
	return 0, out.Bytes(), errs.String()
}

func TestCommand(t *testing.T) {
	program := command(t)
	all := len(codecsuite.Suite().All())
	for dir, want := range map[string]struct {
		code   int
		failed []string
		passed int
	}{
		filepath.Join("..", "drivers", "gzip"): {0, nil, all},
		filepath.Join("..", "drivers", "zstd"): {0, nil, all},
		// It has no levels, which is no fault.
		filepath.Join("testdata", "lossy"): {3, []string{"stream/round-trip"}, all - 3},
	} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			code, stdout, stderr := check(t, program, "test", dir, "--json")
			assert.Equal(t, want.code, code, stderr)
			var r conformance.Report
			require.NoError(t, json.Unmarshal(stdout, &r))
			assert.Equal(t, conformance.ContractInfo{Name: "codec", Version: "1.0.0"}, r.Contract)
			var failed []string
			for _, c := range r.Checks {
				if c.Status != conformance.Pass && c.Status != conformance.Unsupported {
					failed = append(failed, c.ID)
				}
			}
			assert.Equal(t, want.failed, failed)
			assert.Equal(t, want.passed, r.Summary[conformance.Pass], "%v", r.Summary)
		})
	}
	t.Run("of another contract", func(t *testing.T) {
		code, _, stderr := check(t, program, "test", filepath.Join("..", "..", "..", "drivers", "sqlite"))
		assert.Equal(t, 2, code)
		assert.Equal(t, "codeccheck: driver sqlite is for contract sql, which is not known here\n  known: codec 1.0.0\n", stderr)
	})
	t.Run("checks", func(t *testing.T) {
		code, stdout, _ := check(t, program, "checks", "stream/round-trip")
		assert.Equal(t, 0, code)
		assert.Contains(t, string(stdout), "What was compressed comes back")
	})
	t.Run("host", func(t *testing.T) {
		code, stdout, _ := check(t, program, "host", program)
		assert.Equal(t, 0, code)
		assert.Contains(t, string(stdout), `"codec"`)
	})
}
