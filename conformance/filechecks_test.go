package conformance_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/internal/fixture"
)

// fileMutants has, for each check of any driver file, a driver file that fails
// it and no other.
var fileMutants = map[string]func(t *testing.T) string{
	"file/readable": func(t *testing.T) string {
		return fixture.Build(t, widgetSource("badmanifest", `{"name":"widget"}`, goodNew))
	},
	"file/fits": func(t *testing.T) string {
		s := widgetSource("trimmed", widgetManifest, goodNew)
		s.Args = []string{"-trimpath"}
		return fixture.Build(t, s)
	},
	"file/agrees": func(t *testing.T) string {
		return fixture.Driver(t, widgetSource("newer", strings.Replace(widgetManifest, "^1.1", "^2.0", 1), goodNew))
	},
	"file/loads": func(t *testing.T) string {
		return fixture.Driver(t, widgetSource("initpanics", widgetManifest, goodNew+"\n\nfunc init() { panic(\"init\") }"))
	},
	"driver/never-nil": func(t *testing.T) string {
		return fixture.Driver(t, widgetSource("sometimesnil", widgetManifest,
			`func NewDriver() Widget { if made.Add(1) == 7 { return (*drv)(nil) }; return &drv{"widget"} }

func init() { named = func(d *drv) string { if d == nil { return "widget" }; return d.name } }`))
	},
	"driver/independent": func(t *testing.T) string {
		return fixture.Driver(t, widgetSource("shared", widgetManifest,
			`var only = &drv{"widget"}

func NewDriver() Widget { made.Add(1); return only }`))
	},
	"driver/new-parallel": func(t *testing.T) string {
		return fixture.Driver(t, widgetSource("oneatatime", widgetManifest,
			`var inside atomic.Bool

func NewDriver() Widget {
	if !inside.CompareAndSwap(false, true) { panic("two at once") }
	time.Sleep(100 * time.Microsecond)
	inside.Store(false)
	return &drv{"widget"}
}`))
	},
	"driver/new-starts-nothing": func(t *testing.T) string {
		return fixture.Driver(t, widgetSource("starter", widgetManifest,
			`func NewDriver() Widget { made.Add(1); go func() { select {} }(); return &drv{"widget"} }`))
	},
	"driver/name": func(t *testing.T) string {
		return fixture.Driver(t, widgetSource("renamed", widgetManifest,
			`func NewDriver() Widget { if made.Add(1) > 5 { return &drv{"gadget"} }; return &drv{"widget"} }`))
	},
}

func TestEveryFileCheckHasItsMutant(t *testing.T) {
	for _, c := range conformance.FileChecks(widgets) {
		t.Run(c.ID, func(t *testing.T) {
			require.Contains(t, fileMutants, c.ID, "a check without a mutant does not exist")
			o := options(fileMutants[c.ID](t), "driver", "do/nothing")
			r, err := conformance.Run(t.Context(), suite(), o)
			require.NoError(t, err)
			stopped := strings.HasPrefix(c.ID, "file/")
			before := true
			for _, res := range r.Checks {
				want := conformance.Pass
				switch {
				case res.ID == c.ID:
					want, before = conformance.Fail, false
				case stopped && !before:
					want = conformance.NotRun
				}
				assert.Equal(t, want, res.Status, "%s: %s", res.ID, res.Message)
			}
		})
	}
	assert.Len(t, fileMutants, len(conformance.FileChecks(widgets)))
}

// The mutant above starts goroutines; there is another way to leave something.
func TestFileDescriptorsAreCounted(t *testing.T) {
	file := fixture.Driver(t, widgetSource("opener", widgetManifest,
		`func NewDriver() Widget { made.Add(1); f, _ := os.Open("/dev/null"); kept = append(kept, f); return &drv{"widget"} }

var kept []*os.File`))
	r, err := conformance.Run(t.Context(), suite(), options(file, "driver/new-starts-nothing"))
	require.NoError(t, err)
	assert.Equal(t, conformance.Fail, statuses(r)["driver/new-starts-nothing"])
	assert.Contains(t, result(t, r, "driver/new-starts-nothing").Message, "file descriptors")
}
