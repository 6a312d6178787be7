//go:build linux

package loader

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// buildPortable builds testdata/portable with variables.
func buildPortable(t *testing.T, env ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a program")
	}
	out := filepath.Join(t.TempDir(), "portable")
	cmd := exec.Command("go", "build", "-o", out, "./testdata/portable")
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

func TestProgramWithoutCgo(t *testing.T) {
	t.Parallel()
	file := good(t)
	text, err := exec.Command(buildPortable(t, "CGO_ENABLED=0"), file).CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.Equal(t, "load driver good ("+file+"): fit: wanted a program that can load driver files, found one for "+
		runtime.GOOS+"/"+runtime.GOARCH+" that cannot; remedy: build the program with CGO_ENABLED=1 for Linux or FreeBSD\nfalse true\n", string(text))
}

func TestProgramForWindows(t *testing.T) {
	t.Parallel()
	buildPortable(t, "GOOS=windows", "CGO_ENABLED=0")
}
