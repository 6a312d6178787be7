//go:build linux

package isolate_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
)

// seedVar sets the seed of TestRandomModules. The default is a fixed one, so
// that a second run finds what the first has built.
const seedVar = "KEYWAY_RANDOM_SEED"

// Guards that isolation changes nothing of what code does: whatever a compiler
// makes of interfaces, generics, closures, embedding and method values, a file
// that is loaded among many others gives the answers of the code linked in.
func TestRandomModules(t *testing.T) {
	seed, count := uint64(1), 50
	if text := os.Getenv(seedVar); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	if testing.Short() || fixture.Host(t).Settings["-race"] == "true" {
		count = 6 // the race detector does not see into plugins
	}
	t.Logf("%s=%d", seedVar, seed)

	lib := map[string]string{}
	tree(t, lib, "", "testdata/random/lib")
	host := fixture.Source{Name: "randomhost" + strconv.Itoa(count), Files: map[string]string{}}
	tree(t, host.Files, "", "testdata/random/host")
	imports, linked := "", ""
	files := make([]string, count)
	t.Run("build", func(t *testing.T) {
		for i := range count {
			name := fmt.Sprintf("random%d", i)
			module := "example.com/fixture/" + name
			s := fixture.Source{Name: name, Files: map[string]string{
				"driver.go":  randomDriver(name, module, seed*1000+uint64(i)),
				"lib/lib.go": strings.Replace(lib["lib.go"], "= SALT", fmt.Sprintf("= %d", i*17+5), 1),
			}}
			for file, text := range s.Files {
				host.Files[name+"/"+file] = text
			}
			host.Files[name+"/go.mod"] = "module " + module + "\n\ngo 1.26\n"
			host.Mod += fmt.Sprintf("\nrequire %s v1.0.0\n\nreplace %[1]s => ./%s\n", module, name)
			imports += fmt.Sprintf("import %q\n", module)
			linked += name + ".NewDriver(), "
			t.Run(name, func(t *testing.T) {
				t.Parallel() // as many at once as there are processors
				files[i] = fixture.Driver(t, s)
			})
		}
	})
	host.Files["linked.go"] = "package main\n\n" + imports + "\nvar linked = []Driver{" + linked + "}\n"
	out := runHost(t, fixture.Program(t, host), files...)
	assert.Equal(t, fmt.Sprintf("%d modules, %[1]d transcripts\n", count), out, "%s=%d", seedVar, seed)
}
