//go:build linux

package loader

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
)

// lay makes directories d1 and d2 with files, whose texts are "" for an empty
// one and "good" for a driver whose manifest says 1.2.0.
func lay(t *testing.T, files ...string) (root string, dirs []string) {
	t.Helper()
	root = t.TempDir()
	for _, name := range files {
		name, isGood := strings.CutSuffix(name, " = good")
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch {
		case isGood:
			text, err := os.ReadFile(good(t))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, text, 0o644))
		case strings.HasSuffix(name, "/"):
			require.NoError(t, os.MkdirAll(path, 0o755))
		default:
			require.NoError(t, os.WriteFile(path, nil, 0o644))
		}
	}
	return root, []string{filepath.Join(root, "missing"), filepath.Join(root, "d1"), filepath.Join(root, "d2")}
}

func TestFindChooses(t *testing.T) {
	for _, c := range []struct {
		name     string
		files    []string
		versions string
		want     string
	}{
		{"the only one", []string{"d2/good.so"}, "", "d2/good.so"},
		{"the highest", []string{"d1/good-v1.9.0.so", "d1/good-v1.10.0.so", "d2/good-v1.10.0-rc.1.so"}, "", "d1/good-v1.10.0.so"},
		{"the highest of a later directory", []string{"d1/good-v1.9.0.so", "d2/good-v2.0.0.so"}, "", "d2/good-v2.0.0.so"},
		{"the earlier directory among equals", []string{"d1/good-v1.0.0.so", "d2/good-v1.0.0.so"}, "", "d1/good-v1.0.0.so"},
		{"the version in the manifest, above a name", []string{"d1/good-v1.1.0.so", "d2/good.so = good"}, "", "d2/good.so"},
		{"a name above the version in the manifest", []string{"d1/good.so = good", "d2/good-v1.3.0.so"}, "", "d2/good-v1.3.0.so"},
		{"a name above a file that cannot be read", []string{"d1/good.so", "d2/good-v0.0.1.so"}, "", "d2/good-v0.0.1.so"},
		{"what the application allows", []string{"d1/good-v1.0.0.so", "d1/good-v2.0.0.so"}, "^1.0", "d1/good-v1.0.0.so"},
		{"no pre-release unasked", []string{"d1/good-v1.0.0.so", "d1/good-v1.1.0-rc.1.so"}, "^1.0", "d1/good-v1.0.0.so"},
		{"a pre-release that was asked for", []string{"d1/good-v1.0.0.so", "d1/good-v1.1.0-rc.1.so"}, "^1.0-0", "d1/good-v1.1.0-rc.1.so"},
		{"no directory", []string{"d1/good.so/", "d2/good.so"}, "", "d2/good.so"},
		{"no other name", []string{"d1/goods.so", "d1/good2-v9.0.0.so", "d1/good-vx.so", "d1/Good.so", "d1/good.so.bak", "d2/good.so"}, "", "d2/good.so"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, dirs := lay(t, c.files...)
			cfg := Config{Dirs: dirs}
			if c.versions != "" {
				cfg.Versions = map[string]string{"good": c.versions}
			}
			choices, err := newLoader(t, cfg).choices(t.Context(), "good", "")
			require.NoError(t, err)
			require.Equal(t, filepath.Join(root, c.want), choices[0].file)
		})
	}
}

func TestFindRefuses(t *testing.T) {
	root, dirs := lay(t, "d1/zebra.so", "d2/apple-v1.0.0.so", "d2/apple.so", "file")
	load := func(name string, cfg Config) *LoadError {
		t.Helper()
		_, err := newLoader(t, cfg).Load(t.Context(), name)
		le := refused(t, err, StageFind)
		require.Equal(t, name, le.Driver)
		return le
	}
	for _, name := range []string{"../zebra", "/etc/passwd", "", "Zebra", "zebra.so", "a b", strings.Repeat("z", 65)} {
		if name != "" { // its error has neither driver nor file to name
			require.Contains(t, load(name, Config{Dirs: dirs}).Remedy, "not by a path")
		}
	}

	le := load("lion", Config{Dirs: dirs})
	require.ErrorIs(t, le, fs.ErrNotExist)
	require.Equal(t, "lion.so or lion-v<version>.so", le.Wanted)
	require.Equal(t, "in "+strings.Join(dirs, ", ")+" only apple, zebra", le.Found)

	le = load("lion", Config{Dirs: dirs[:1]})
	require.ErrorIs(t, le, fs.ErrNotExist)
	require.Equal(t, "no driver file in "+dirs[0], le.Found)

	le = load("lion", Config{})
	require.Contains(t, le.Remedy, "Config.Dirs")

	le = load("apple", Config{Dirs: []string{filepath.Join(root, "file")}})
	require.Equal(t, "a readable directory of drivers", le.Wanted)
	require.Equal(t, "name a directory in loader.Config.Dirs", le.Remedy)

	_, dirs = lay(t, "d1/lion-v1.0.0.so", "d2/lion-v3.0.0.so")
	le = load("lion", Config{Dirs: dirs, Versions: map[string]string{"lion": "~2"}})
	require.Equal(t, "version ~2, as the application asks", le.Wanted)
	require.Equal(t, "3.0.0 ("+dirs[2]+"/lion-v3.0.0.so), 1.0.0 ("+dirs[1]+"/lion-v1.0.0.so)", le.Found)
}

func TestFindLists(t *testing.T) {
	root, dirs := lay(t, "d1/db-v1-v2.0.0.so", "d1/b.so", "d2/a-v1.0.0-rc.1+build.5.so", "d2/notes.txt", "d2/libc.so.6")
	found, err := Find(dirs...)
	require.NoError(t, err)
	require.Equal(t, []Found{
		{Name: "b", Path: filepath.Join(root, "d1/b.so")},
		{Name: "db-v1", Version: "2.0.0", Path: filepath.Join(root, "d1/db-v1-v2.0.0.so")},
		{Name: "a", Version: "1.0.0-rc.1+build.5", Path: filepath.Join(root, "d2/a-v1.0.0-rc.1+build.5.so")},
	}, found)
}

func TestConfigFaults(t *testing.T) {
	_, err := New(Config{Dirs: []string{"drivers", "/ok"}, CacheDir: "cache", MaxSize: -1, Versions: map[string]string{"x": "about one"}})
	for _, want := range []string{`directory "drivers" is not absolute`, `cache directory "cache"`, "MaxSize is negative", `"about one"`} {
		require.ErrorContains(t, err, want)
	}
	_, err = For[interface{ Name() string }](nil, Config{})
	require.ErrorContains(t, err, "no contract")
}

func TestFindEndsWithItsContext(t *testing.T) {
	_, dirs := lay(t, "d1/good.so")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newLoader(t, Config{Dirs: dirs}).Load(ctx, "good")
	require.ErrorIs(t, err, context.Canceled)
}

// A program that is restarted fares no worse than one that runs when a new
// version is bad.
func TestNextLowerVersionIsTried(t *testing.T) {
	dir := filepath.Dir(install(t, good(t), "good-v1.2.0.so"))
	best := filepath.Join(dir, "good-v9.0.0.so")
	require.NoError(t, os.WriteFile(best, []byte("no driver"), 0o644))
	var log strings.Builder
	cfg := Config{Dirs: []string{dir}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	d, err := newLoader(t, cfg).Load(t.Context(), "good")
	require.NoError(t, err)
	require.Equal(t, "1.2.0", d.Manifest.Version)
	require.Contains(t, log.String(), best)

	cfg.Versions = map[string]string{"good": ">=9"}
	_, err = newLoader(t, cfg).Load(t.Context(), "good")
	require.Equal(t, best, refused(t, err, StageInspect).File)
}

func TestTwoFilesOfOneVersion(t *testing.T) {
	text, err := os.ReadFile(fixture.Build(t, fixture.Plain("twofiles", fixture.Manifest("twofiles", "1.2.0"), "func NewDriver() int { return 0 }")))
	require.NoError(t, err)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "twofiles-v1.2.0.so"), filepath.Join(dir, "twofiles.so")
	require.NoError(t, os.WriteFile(first, text, 0o644))
	require.NoError(t, os.WriteFile(second, append(text, "another build"...), 0o644))
	var log strings.Builder
	l := newLoader(t, Config{Dirs: []string{dir}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, err = l.Refresh(t.Context())
	require.NoError(t, err)
	all := l.Drivers()
	require.Len(t, all, 2)
	require.Equal(t, []State{Discovered, Failed}, []State{all[0].State, all[1].State})
	le := refused(t, all[1].Err, StageFind)
	require.Equal(t, second, le.File)
	require.Equal(t, "one file of twofiles 1.2.0", le.Wanted)
	require.Contains(t, le.Found, first)
	require.Contains(t, log.String(), second)

	choices, err := l.choices(t.Context(), "twofiles", "")
	require.NoError(t, err)
	require.Equal(t, []string{first}, []string{choices[0].file})
	require.Len(t, choices, 1)
}
