//go:build linux

package isolate_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
)

// knowing returns a host or a driver of testdata/types that has some of the
// groups of kinds, 0 to 3.
func knowing(t *testing.T, part, name string, groups ...int) fixture.Source {
	t.Helper()
	s := fixture.Source{Name: name, Files: map[string]string{}}
	tree(t, s.Files, "", "testdata/types/"+part)
	tree(t, s.Files, "kinds", "testdata/types/kinds")
	for g := range 4 {
		if !strings.Contains(fmt.Sprint(groups), fmt.Sprint(g)) {
			delete(s.Files, fmt.Sprintf("kinds/g%d.go", g))
		}
	}
	for file, text := range s.Files {
		s.Files[file] = strings.ReplaceAll(text, "NAME", name)
	}
	return s
}

// kindNames are the kinds of all groups.
func kindNames(t *testing.T) string {
	files := map[string]string{}
	tree(t, files, "", "testdata/types/kinds")
	var names []string
	for _, text := range files {
		for _, m := range regexp.MustCompile(`(?m)^\tadd\("([^"]+)"`).FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
	}
	require.Greater(t, len(names), 15)
	return strings.Join(names, ",")
}

// Guards that a structural type is one type for all who meet in a process,
// whoever brought it first: in each order of loading, with hosts that know a
// type before the drivers do, use it only afterwards, make it by reflection
// then, or never know it. (A type that a host made by reflection before any
// file brought it is another type than the file's: so reflect has it.)
func TestTypeIdentity(t *testing.T) {
	hosts := map[string]string{
		"knows some": fixture.Program(t, knowing(t, "host", "typeshost", 3, 0, 1)),
		"knows none": fixture.Program(t, knowing(t, "host", "typesnone")),
		"knows all":  fixture.Program(t, knowing(t, "host", "typesall", 0, 1, 2, 3)),
	}
	// Each group is missing somewhere.
	drivers := []string{
		fixture.Driver(t, knowing(t, "driver", "typesa", 0, 1, 2)),
		fixture.Driver(t, knowing(t, "driver", "typesb", 1, 2, 3)),
		fixture.Driver(t, knowing(t, "driver", "typesc", 2, 3, 0)),
	}
	kinds := kindNames(t)
	for knows, host := range hosts {
		for _, when := range []string{"first", "late"} {
			for _, o := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
				name := fmt.Sprintf("%s, %s, %v", knows, when, o)
				out := runHost(t, host, when, kinds, drivers[o[0]], drivers[o[1]], drivers[o[2]])
				var met int
				_, err := fmt.Sscanf(out, "%d met\n", &met)
				assert.NoError(t, err, "%s:\n%s", name, out)
				assert.Greater(t, met, 100, name)
			}
		}
	}
}
