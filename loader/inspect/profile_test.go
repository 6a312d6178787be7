package inspect

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProfile(t *testing.T) {
	driver, host := invented()
	var b bytes.Buffer
	require.NoError(t, WriteProfile(&b, host))
	file := filepath.Join(t.TempDir(), "host.json")
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	again, err := ReadHost(file)
	require.NoError(t, err)
	assert.Equal(t, host, again)
	assert.Nil(t, Fit(driver, again))
	changeStandard(driver)
	assert.Equal(t, Fit(driver, host), Fit(driver, again))
}

func TestReadHostTakesABinary(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	facts, err := ReadHost(self)
	require.NoError(t, err)
	assert.Equal(t, "exe", facts.BuildMode)
	_, err = ReadHost(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// badProfiles are texts that are refused, and what is found in them.
var badProfiles = map[string]string{
	`{`:                          "unexpected EOF",
	`{}`:                         `the schema ""`,
	`{"schema":"keyway.host/2"}`: "keyway.host/2",
	`{"schema":"keyway.host/1"}`: "without go_version",
	`{"schema":"keyway.host/1","go_version":"go1.26.8"}`:          "without go_version, settings or packages",
	`{"schema":"keyway.host/1"} x`:                                "something after",
	`{"schema":"keyway.host/1","packages":{"runtime":"not hex"}}`: "hexadecimal",
	`{"schema":1}`: "cannot unmarshal",
}

func TestBadProfiles(t *testing.T) {
	for text, found := range badProfiles {
		_, err := parseProfile([]byte(text))
		var fe *FormatError
		require.ErrorAs(t, err, &fe, text)
		assert.Contains(t, fe.Found, found, text)
		assert.NotEmpty(t, fe.Remedy)
	}
}

// Whatever is read can be compared, and be written and read again.
func FuzzProfile(f *testing.F) {
	driver, host := invented()
	var b bytes.Buffer
	require.NoError(f, WriteProfile(&b, host))
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":"keyway.host/1","go_version":"x","settings":{},"packages":{}}`))
	for _, text := range slices.Sorted(maps.Keys(badProfiles)) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		facts, err := parseProfile(text)
		if err != nil {
			return
		}
		for _, m := range Fit(driver, facts) {
			if m.Kind == "" || m.Subject == "" || m.Remedy == "" {
				t.Errorf("%#v", m)
			}
		}
		var b bytes.Buffer
		require.NoError(t, WriteProfile(&b, facts))
		again, err := parseProfile(b.Bytes())
		require.NoError(t, err, "%s", &b)
		require.Equal(t, Fit(driver, facts), Fit(driver, again))
	})
}
