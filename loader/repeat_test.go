//go:build linux

package loader

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
)

// What a file has taken when its init function panicked stays taken, and another
// driver loads.
func TestFilesAfterOneThatFailed(t *testing.T) {
	const room = 200
	first := fixture.Manifest("twin", "1.0.0")
	fill := func(text string) string { return text + strings.Repeat(" ", room-len(text)) }
	file := fixture.Build(t, fixture.Plain("twin", fill(first), "func init() { panic(\"twin\") }\n\nfunc NewDriver() int { return 0 }"))
	second := patched(t, file, replace(fill(first), fill(fixture.Manifest("twin", "1.0.1"))))
	other := fixture.Driver(t, fixture.Answering("other", "other", "2.0.0"))
	outcomes := inChild(t, []step{{File: file}, {File: install(t, file, "copy.so")}, {File: second}, {File: good(t)}, {File: other}})
	for i, want := range []struct {
		stage                 Stage
		wanted, found, remedy string
	}{
		{StageOpen, "init functions that return", "a panic: twin", ""},
		{StageOpen, "", "a file that failed before", ""},
		{StageFit, "plugin path example.com/fixture/twin not in use", file + " (sha256 ", "restart the program"},
	} {
		o := outcomes[i]
		checkError(t, o.LoadError, o.Text, want.stage)
		require.Equal(t, "twin", o.Driver)
		require.Contains(t, o.Wanted, want.wanted)
		require.Contains(t, o.Found, want.found)
		require.Contains(t, o.Remedy, want.remedy)
	}
	require.Equal(t, "1.2.0", outcomes[3].Answer)
	require.Equal(t, "2.0.0", outcomes[4].Answer)
}
