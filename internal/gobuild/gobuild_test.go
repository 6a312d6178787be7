package gobuild_test

import (
	"context"
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/gobuild"
	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/isolate"
)

const manifest = `{"name":"tiny","version":"1.0.0","contract":{"name":"sql","version":"^1"}}`

var tiny = map[string]string{
	"go.mod":             "module example.com/tiny\n\ngo 1.26\n",
	"driver.json":        manifest,
	"driver.go":          "package tiny\n\nimport (\n\t_ \"embed\"\n\n\t\"example.com/tiny/internal/name\"\n)\n\n//go:embed driver.json\nvar DriverManifest string\n\nvar NewDriver = func() any { return name.Of() }\n",
	"internal/name/n.go": "package name\n\nfunc Of() string { return \"tiny\" }\n",
}

func TestMain(m *testing.M) {
	isolate.Tool()
	os.Exit(m.Run())
}

func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	return dir
}

func self(t *testing.T) *inspect.Facts {
	t.Helper()
	host, err := inspect.Self()
	require.NoError(t, err)
	return host
}

// The user's environment, and what lies around the module, have no say.
func TestBuildFitsTheHost(t *testing.T) {
	t.Setenv("GOFLAGS", "-trimpath -tags=other -ldflags=-pluginpath=other -cover -json -pgo=/none.pgo")
	t.Setenv("GOEXPERIMENT", "jsonv2")
	t.Setenv("GOFIPS140", "latest")
	t.Setenv("GOARCH", "s390x")
	root := t.TempDir()
	dir := write(t, filepath.Join(root, "a path with spaces"), tiny)
	write(t, root, map[string]string{"go.work": "go 1.26\n\nuse ./elsewhere\n"})
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	host := self(t)

	out := filepath.Join(root, "out", "tiny.so")
	r, err := gobuild.Build(t.Context(), gobuild.Options{Dir: link, Out: out, Host: host})
	require.NoError(t, err)
	assert.Equal(t, out, r.File)
	assert.Equal(t, "tiny", r.Manifest.Name)
	facts, err := inspect.ReadFile(out)
	require.NoError(t, err)
	// A test binary does not import plugin and has no fingerprints; its
	// settings are what counts here.
	for _, key := range []string{"GOARCH", "-trimpath", "-tags", "-gcflags", "-race", "-ldflags", "-cover", "CGO_ENABLED", "GOAMD64", "GOEXPERIMENT", "GOFIPS140"} {
		assert.Equal(t, host.Settings[key], facts.Settings[key], key)
	}
	text, err := facts.ManifestText()
	require.NoError(t, err)
	assert.JSONEq(t, manifest, text)
	assert.Equal(t, []string{"DriverIsolation", "DriverManifest", "NewDriver"}, facts.Symbols)

	before, err := os.ReadFile(out)
	require.NoError(t, err)
	again := filepath.Join(root, "again.so")
	_, err = gobuild.Build(t.Context(), gobuild.Options{Dir: dir, Out: again, Host: host})
	require.NoError(t, err)
	after, err := os.ReadFile(again)
	require.NoError(t, err)
	assert.Equal(t, len(before), len(after))
	assert.True(t, string(before) == string(after), "two builds differ")
	left, err := os.ReadDir(root)
	require.NoError(t, err)
	assert.Len(t, left, 4, "%v", left) // the module, go.work, out, again.so
}

func TestBuildTellsWhatItCompiles(t *testing.T) {
	files := maps.Clone(tiny)
	files["internal/name/n.go"] = "package name\n\nfunc Of() string { return \"" + rand.Text() + "\" }\n"
	dir := write(t, t.TempDir(), files)
	var told []string
	build := func() {
		_, err := gobuild.Build(t.Context(), gobuild.Options{Dir: dir, Out: filepath.Join(t.TempDir(), "tiny.so"), Host: self(t),
			Progress: func(pkg string) { told = append(told, pkg) }})
		require.NoError(t, err)
	}
	build()
	assert.Subset(t, told, []string{"example.com/tiny/internal/name", "example.com/tiny"})
	told = nil
	build()
	assert.NotContains(t, told, "example.com/tiny/internal/name", "the cache has it")
}

// A driver that is in use must not change under the process that mapped it.
func TestBuildReplacesTheFileAsAWhole(t *testing.T) {
	dir := write(t, t.TempDir(), tiny)
	out := filepath.Join(t.TempDir(), "tiny.so")
	require.NoError(t, os.WriteFile(out, []byte("in use"), 0o600))
	old, err := os.Open(out)
	require.NoError(t, err)
	defer old.Close()
	_, err = gobuild.Build(t.Context(), gobuild.Options{Dir: dir, Out: out, Host: self(t)})
	require.NoError(t, err)
	was, err := old.Stat()
	require.NoError(t, err)
	is, err := os.Stat(out)
	require.NoError(t, err)
	assert.False(t, os.SameFile(was, is))
	assert.EqualValues(t, len("in use"), was.Size())
}

func TestBuildRefusesHostsThatLoadNothing(t *testing.T) {
	for found, change := range map[string]func(*inspect.Facts){
		"CGO_ENABLED=0":          func(f *inspect.Facts) { f.Settings["CGO_ENABLED"] = "0" },
		"a plugin":               func(f *inspect.Facts) { f.BuildMode = "plugin" },
		"/none/x.pgo: no such f": func(f *inspect.Facts) { f.Settings["-pgo"] = "/none/x.pgo" },
	} {
		host := *self(t)
		host.Settings = maps.Clone(host.Settings)
		change(&host)
		_, err := gobuild.Build(t.Context(), gobuild.Options{Dir: write(t, t.TempDir(), tiny), Host: &host})
		var be *gobuild.Error
		require.ErrorAs(t, err, &be, found)
		assert.Contains(t, be.Found, found)
		assert.NotEmpty(t, be.Remedy, found)
	}
}

func TestManifestIsEmbedded(t *testing.T) {
	build := func(directive string) error {
		files := maps.Clone(tiny)
		files["driver.go"] = strings.Replace(files["driver.go"], "//go:embed driver.json", directive, 1)
		_, err := gobuild.Build(t.Context(), gobuild.Options{Dir: write(t, t.TempDir(), files), Out: filepath.Join(t.TempDir(), "x.so"), Host: self(t)})
		return err
	}
	require.NoError(t, build("//go:embed\t`driver.json`"))
	require.ErrorContains(t, build("//go:embed driver.json go.mod"), "one file that DriverManifest embeds")
	require.ErrorContains(t, build("//go:embed none.json"), "none.json")
}

func TestBuildRefusesAnotherToolchain(t *testing.T) {
	host := *self(t)
	host.GoVersion = "go1.2.3"
	_, err := gobuild.Build(t.Context(), gobuild.Options{Dir: write(t, t.TempDir(), tiny), Host: &host})
	var be *gobuild.Error
	require.ErrorAs(t, err, &be)
	assert.Contains(t, be.Wanted, "go1.2.3")
	assert.Contains(t, be.Remedy, "GOTOOLCHAIN=go1.2.3 drivercheck build ")
}

func TestBuildInterrupted(t *testing.T) {
	dir := write(t, t.TempDir(), tiny)
	outDir := t.TempDir()
	// The first commands of a build are over long before; compiling and
	// linking take longer, and the cache has nothing of this directory.
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if entries, _ := os.ReadDir(outDir); len(entries) > 0 {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := gobuild.Build(ctx, gobuild.Options{Dir: dir, Out: filepath.Join(outDir, "tiny.so"), Host: self(t)})
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(outDir)
	require.NoError(t, err)
	assert.Empty(t, left)
}
