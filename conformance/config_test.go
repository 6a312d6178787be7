package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExpandDSN(t *testing.T) {
	t.Setenv("KEYWAY_A", "s3cret {{tempdir}}$1")
	t.Setenv("KEYWAY_EMPTY", "")
	for dsn, want := range map[string]string{
		"":                                 "",
		"file:x":                           "file:x",
		"{{tempdir}}/a?b={{tempdir}}":      "/tmp/a?b=/tmp",
		"{{env:KEYWAY_A}}":                 "s3cret {{tempdir}}$1",
		"{{tempdir}}{{env:KEYWAY_A}}{{x}}": "/tmps3cret {{tempdir}}$1{{x}}",
		"{{{env:KEYWAY_A}}}":               "{s3cret {{tempdir}}$1}",
	} {
		got, err := expandDSN(dsn, "/tmp")
		assert.NoError(t, err, dsn)
		assert.Equal(t, want, got, dsn)
	}
	for dsn, fault := range map[string]string{
		"p4ss{{env:KEYWAY_UNSET}}":                 "environment variable KEYWAY_UNSET, which is not set",
		"p4ss{{env:KEYWAY_EMPTY}}":                 "environment variable KEYWAY_EMPTY, which is not set",
		"p4ss{{env:KEYWAY_A}}{{env:KEYWAY_UNSET}}": "KEYWAY_UNSET",
		"p4ss{{env:}}":                             "{{env:}} in the DSN is not of the form",
		"p4ss{{env: KEYWAY_A}}":                    "{{env: KEYWAY_A}} in the DSN is not of the form",
		"p4ss{{env:KEYWAY_A":                       "no }}",
		"p4ss{{env:KEYWAY_A}":                      "no }}",
	} {
		got, err := expandDSN(dsn, "/tmp")
		assert.ErrorContains(t, err, fault, dsn)
		assert.Empty(t, got)
		if err != nil {
			assert.NotContains(t, err.Error(), "p4ss")
			assert.NotContains(t, err.Error(), "s3cret")
		}
	}
}

// Whatever is accepted says of every waiver all that is wanted, and no DSN makes
// an error with a part of it.
func FuzzConfig(f *testing.F) {
	file := filepath.Join(f.TempDir(), "conformance.json")
	for _, text := range []string{
		`{"dsn":"file:{{tempdir}}/x?{{env:HOME}}","waivers":[{"check":"tx/*","reason":"r","url":"https://example.com"}],"suite":{"dialect":"x"}}`,
		`{"waivers":[{"check":"tx/[","reason":"r","url":"u"}]}`, `{"waivers":[{}]}`, `{"dns":"x"}`, `{} {}`, `[]`, `{"dsn":"{{env:"}`,
		strings.Repeat(`[`, 11_000),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		assert.NoError(t, os.WriteFile(file, text, 0o600))
		c, err := ReadConfig(file)
		if err != nil {
			assert.Contains(t, err.Error(), file)
			return
		}
		for _, w := range c.Waivers {
			assert.NotEmpty(t, w.Check)
			assert.NotEmpty(t, w.Reason)
			assert.NotEmpty(t, w.URL)
			Matches(w.Check, "tx/read-only")
		}
		if dsn, err := expandDSN(c.DSN, "/tmp"); err != nil {
			assert.Empty(t, dsn)
		} else if !strings.Contains(os.Getenv("HOME"), "{{") {
			assert.NotContains(t, strings.ReplaceAll(dsn, "{{env:HOME}}", ""), "{{tempdir}}")
		}
	})
}
