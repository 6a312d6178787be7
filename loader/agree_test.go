package loader

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAccepts(t *testing.T) {
	for _, c := range []struct{ constraint, version, fault string }{
		{"^1.0", "1.4.0", ""},
		{">=1.0, <2", "1.4.0", ""},
		{"^2", "1.4.0", `"1.4.0" is less than "2"`},
		{"^1.0", "1.4.0-rc.1", "prerelease"},
		{"one", "1.4.0", `"one" is no constraint such as "^1.0"`},
		{"^1.0", "1.4", `"1.4" is no semantic version`},
	} {
		err := Accepts(c.constraint, c.version)
		if c.fault == "" {
			assert.NoError(t, err, c)
		} else {
			assert.ErrorContains(t, err, c.fault, c)
		}
	}
}
