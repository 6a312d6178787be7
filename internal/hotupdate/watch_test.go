package hotupdate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// watched is a loader that watches a directory, with version 1.0.0 of a driver.
type watched struct {
	t       *testing.T
	base    string // where the test can do as it likes
	dir     string // what is watched, not yet there
	drivers *loader.SQL
}

// version returns the driver file of a version.
func (w watched) version(minor int) string {
	w.t.Helper()
	return fixture.Driver(w.t, fixture.Answering(fmt.Sprintf("watched%d", minor), "watched", fmt.Sprintf("1.%d.0", minor)))
}

// put installs a version.
func (w watched) put(dir string, minor int) {
	w.t.Helper()
	require.NoError(w.t, os.MkdirAll(dir, 0o700))
	install(w.t, w.version(minor), dir, fmt.Sprintf("watched-v1.%d.0.so", minor))
}

// start loads version 1.0.0 and watches.
func (w *watched) start(cfg loader.Config) {
	w.t.Helper()
	cfg.Dirs = []string{w.dir}
	w.drivers = newLoader(w.t, cfg)
	_, err := w.drivers.Load(w.t.Context(), "watched")
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.drivers.Watch(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			w.t.Errorf("Watch returned %v", err)
		}
	})
	// Its first look is not what is tested.
	time.Sleep(300 * time.Millisecond)
}

// takesUp waits for a version.
func (w watched) takesUp(minor int) {
	w.t.Helper()
	want := fmt.Sprintf("1.%d.0", minor)
	assert.Eventually(w.t, func() bool { d, ok := w.drivers.Driver("watched"); return ok && d.Manifest.Version == want },
		20*time.Second, 5*time.Millisecond, "version %s was not taken up", want)
	if w.t.Failed() {
		w.t.FailNow()
	}
}

func link(t *testing.T, target, name string) {
	t.Helper()
	require.NoError(t, os.Symlink(target, name+".new"))
	require.NoError(t, os.Rename(name+".new", name))
}

// changes are ways to bring new versions, which begin with one and call start.
var changes = map[string]func(w *watched, start func()){
	"renamed into place": func(w *watched, start func()) {
		w.put(w.dir, 0)
		start()
		w.put(w.dir, 1)
		w.takesUp(1)
		w.put(w.dir, 2)
		w.takesUp(2)
	},
	"vanishes and returns": func(w *watched, start func()) {
		w.put(w.dir, 0)
		start()
		require.NoError(w.t, os.RemoveAll(w.dir))
		time.Sleep(300 * time.Millisecond)
		w.put(w.dir, 1)
		w.takesUp(1)
		require.NoError(w.t, os.Rename(w.dir, w.dir+".away"))
		time.Sleep(300 * time.Millisecond)
		w.put(w.dir+".away", 2)
		require.NoError(w.t, os.Rename(w.dir+".away", w.dir))
		w.takesUp(2)
	},
	"vanishes with what is above": func(w *watched, start func()) {
		w.dir = filepath.Join(w.base, "a", "b", "drivers")
		w.put(w.dir, 0)
		start()
		require.NoError(w.t, os.RemoveAll(filepath.Join(w.base, "a")))
		time.Sleep(300 * time.Millisecond)
		w.put(w.dir, 1)
		w.takesUp(1)
		w.put(w.dir, 2)
		w.takesUp(2)
	},
	"switched link": func(w *watched, start func()) {
		first, second := filepath.Join(w.base, "1"), filepath.Join(w.base, "2")
		w.put(first, 0)
		w.put(second, 1)
		link(w.t, first, w.dir)
		start()
		link(w.t, second, w.dir)
		w.takesUp(1)
		w.put(second, 2)
		w.takesUp(2)
	},
	"switched link above": func(w *watched, start func()) {
		first, second := filepath.Join(w.base, "1"), filepath.Join(w.base, "2")
		current := filepath.Join(w.base, "current")
		w.dir = filepath.Join(current, "drivers")
		w.put(filepath.Join(first, "drivers"), 0)
		w.put(filepath.Join(second, "drivers"), 1)
		link(w.t, "1", current)
		start()
		link(w.t, "2", current)
		w.takesUp(1)
		w.put(w.dir, 2)
		w.takesUp(2)
	},
	"never quiet": func(w *watched, start func()) {
		w.put(w.dir, 0)
		start()
		ctx, stop := context.WithCancel(w.t.Context())
		var noise sync.WaitGroup
		noise.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				assert.NoError(w.t, os.WriteFile(filepath.Join(w.dir, fmt.Sprintf("noise%d.so", i%50)), []byte("noise"), 0o600))
				time.Sleep(5 * time.Millisecond)
			}
		})
		defer noise.Wait()
		defer stop()
		w.put(w.dir, 1)
		w.takesUp(1)
	},
	"one file, replaced": func(w *watched, start func()) {
		require.NoError(w.t, os.MkdirAll(w.dir, 0o700))
		install(w.t, w.version(0), w.dir, "watched.so")
		start()
		install(w.t, w.version(1), w.dir, "watched.so")
		w.takesUp(1)
	},
}

// TestWatch changes directories in ways that the system tells of: it looks again
// on its own only after an hour.
func TestWatch(t *testing.T) {
	for name, run := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatched(t)
			run(w, func() { w.start(loader.Config{Rescan: time.Hour}) })
		})
	}
}

func newWatched(t *testing.T) *watched {
	base := t.TempDir()
	return &watched{t: t, base: base, dir: filepath.Join(base, "drivers")}
}

// TestRescan changes what the system does not tell of: where a link in the
// directory leads to.
func TestRescan(t *testing.T) {
	w := newWatched(t)
	w.put(w.dir, 0)
	elsewhere := filepath.Join(w.base, "elsewhere")
	link(t, filepath.Join(elsewhere, "watched-v1.1.0.so"), filepath.Join(w.dir, "watched-v1.1.0.so"))
	w.start(loader.Config{Rescan: 50 * time.Millisecond, FollowLinks: true})
	w.put(elsewhere, 1)
	w.takesUp(1)
}
