//go:build linux

package loader

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// buildPortable builds a program in testdata with variables.
func buildPortable(t *testing.T, program string, env ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a program")
	}
	out := filepath.Join(t.TempDir(), program)
	cmd := exec.Command("go", "build", "-o", out, "./testdata/"+program)
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

func TestProgramWithoutCgo(t *testing.T) {
	t.Parallel()
	file := good(t)
	text, err := exec.Command(buildPortable(t, "portable", "CGO_ENABLED=0"), file).CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.Equal(t, "load driver good ("+file+"): fit: wanted a program that can load driver files, found one for "+
		runtime.GOOS+"/"+runtime.GOARCH+" that cannot; remedy: build the program with CGO_ENABLED=1 for Linux or FreeBSD\nfalse true\n", string(text))
}

func TestProgramForWindows(t *testing.T) {
	t.Parallel()
	buildPortable(t, "portable", "GOOS=windows", "CGO_ENABLED=0")
	buildPortable(t, "linked", "GOOS=windows", "CGO_ENABLED=0")
}

// A program whose drivers are all compiled in has nothing of package plugin.
func TestProgramWithLinkedDriver(t *testing.T) {
	t.Parallel()
	file := good(t)
	for _, env := range []string{"CGO_ENABLED=1", "CGO_ENABLED=0"} {
		t.Run(env, func(t *testing.T) {
			t.Parallel()
			program := buildPortable(t, "linked", env)
			text, err := exec.Command(program, file).CombinedOutput()
			require.NoError(t, err, "%s", text)
			lines := strings.Split(string(text), "\n")
			require.Equal(t, "hello", lines[0])
			require.Contains(t, lines[1], "fit: wanted a program that can load driver files, found one that does not import package "+filesPackage)
			require.Contains(t, lines[2], "Dirs needs package "+filesPackage)

			f, err := elf.Open(program)
			require.NoError(t, err)
			defer f.Close()
			symbols, err := f.Symbols()
			require.NoError(t, err)
			named := func(prefix string) bool {
				return slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return strings.HasPrefix(s.Name, prefix) })
			}
			require.True(t, named("database/sql."), "the symbols are there")
			require.False(t, named("plugin."))
			if env == "CGO_ENABLED=0" {
				libraries, err := f.ImportedLibraries()
				require.NoError(t, err)
				require.Empty(t, libraries, "the program is static")
			}
		})
	}
}
