package conformance

import (
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
