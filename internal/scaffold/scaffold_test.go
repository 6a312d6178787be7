package scaffold

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
)

func options(dir string) Options {
	return Options{Dir: dir, Keyway: Keyway{Version: "v1.3.0", Contract: "v1.1.0"},
		Manifest: contract.Manifest{Name: "my-db", Contract: contract.ContractRef{Name: "sql", Version: ">=1.0, <2"}}}
}

// offline lets the go command find nothing that it has not got already.
func offline(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw")
}

func read(t *testing.T, file ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(file...))
	require.NoError(t, err)
	return string(text)
}

// A driver for a release needs the network for its tests alone.
func TestWriteForARelease(t *testing.T) {
	offline(t)
	dir := filepath.Join(t.TempDir(), "elsewhere")
	o := options(dir)
	o.Module = "example.org/me/db"
	r, err := Write(t.Context(), o)
	require.NoError(t, err)
	require.Error(t, r.Untidy)
	assert.Contains(t, r.Untidy.Error(), "GOPROXY=off")
	mod := read(t, dir, "go.mod")
	assert.Contains(t, mod, "module example.org/me/db\n")
	assert.Contains(t, mod, rootModule+" v1.3.0\n")
	assert.Contains(t, mod, contractModule+" v1.1.0\n")
	assert.NotContains(t, mod, "replace")
	assert.NotContains(t, read(t, dir, "README.md"), "dropreplace")
	m, err := contract.ParseManifest([]byte(read(t, dir, "driver.json")))
	require.NoError(t, err)
	assert.Equal(t, o.Manifest.Name, m.Name)
	assert.Equal(t, o.Manifest.Contract, m.Contract)

	cmd := exec.Command("go", "build", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

func TestWriteRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("full", 0o700))
	require.NoError(t, os.WriteFile("full/file", nil, 0o600))
	require.NoError(t, os.Mkdir("empty", 0o700))
	require.NoError(t, os.Symlink("empty", "link"))
	for name, c := range map[string]struct {
		change func(*Options)
		fault  string
	}{
		"a directory with files":  {func(o *Options) { o.Dir = "full" }, "full is there already, and is not empty\nit has file"},
		"a file":                  {func(o *Options) { o.Dir = "full/file" }, "is there already, and is no directory"},
		"a link":                  {func(o *Options) { o.Dir = "link" }, "is there already, and is no directory"},
		"the current directory":   {func(o *Options) { o.Dir = "." }, "the current directory cannot be replaced"},
		"a parent that is not":    {func(o *Options) { o.Dir = "none/db" }, "there is no directory none to write db in"},
		"a parent that is a file": {func(o *Options) { o.Dir = "full/file/db" }, "there is no directory full/file to write db in"},
		"a bad name":              {func(o *Options) { o.Manifest.Name = "My db" }, `"My db" does not match [a-z][a-z0-9_-]{0,63}`},
		"a bad module path":       {func(o *Options) { o.Module = "bad path" }, `the module path "bad path" will not do`},
		"an unknown contract":     {func(o *Options) { o.Manifest.Contract.Name = "codec" }, "there is one for: sql"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options("db")
			c.change(&o)
			_, err := Write(t.Context(), o)
			var input *InputError
			require.ErrorAs(t, err, &input)
			assert.ErrorContains(t, err, c.fault)
			entries, err := os.ReadDir(".")
			require.NoError(t, err)
			assert.Len(t, entries, 3, "%v", entries)
		})
	}
}

func TestWriteFillsAnEmptyDirectory(t *testing.T) {
	offline(t)
	dir := t.TempDir()
	_, err := Write(t.Context(), options(dir))
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(dir, "driver.json"))
}

func TestWriteInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	_, err := Write(ctx, options(filepath.Join(parent, "db")))
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestPackageName(t *testing.T) {
	for driver, want := range map[string]string{"sqlite": "sqlite", "my-db": "mydb", "my_db2": "mydb2", "a_test": "atest",
		"type": "typedriver", "t-ype": "typedriver", "main": "maindriver", "init": "initdriver"} {
		assert.Equal(t, want, packageName(driver), driver)
	}
}

// A module that needs an older Go than Keyway does not build with it.
func TestGoVersion(t *testing.T) {
	assert.Contains(t, read(t, "..", "..", "go.mod"), "\ngo "+goVersion+"\n")
}

func TestRelease(t *testing.T) {
	module := func(path, version, sum string) *debug.Module {
		return &debug.Module{Path: path, Version: version, Sum: sum}
	}
	contractDep := module(contractModule, "v1.1.0", "h1:x")
	replaced := *contractDep
	replaced.Replace = module("../contract", "", "")
	for name, c := range map[string]struct {
		main *debug.Module
		deps []*debug.Module
		want bool
	}{
		"installed at a version":    {module(rootModule, "v1.3.0", "h1:x"), []*debug.Module{contractDep}, true},
		"linked into another":       {module("example.com/x", "(devel)", ""), []*debug.Module{contractDep, module(rootModule, "v1.3.0", "h1:x")}, true},
		"built in a clone":          {module(rootModule, "v1.3.1-0.20261120000000-0123456789ab", ""), []*debug.Module{contractDep}, false},
		"with a replaced contract":  {module(rootModule, "v1.3.0", "h1:x"), []*debug.Module{&replaced}, false},
		"without the contract":      {module(rootModule, "v1.3.0", "h1:x"), nil, false},
		"with nothing of Keyway in": {module("example.com/x", "v1.0.0", "h1:x"), nil, false},
	} {
		k, ok := Release(&debug.BuildInfo{Main: *c.main, Deps: c.deps})
		assert.Equal(t, c.want, ok, name)
		if ok {
			assert.Equal(t, Keyway{Version: "v1.3.0", Contract: "v1.1.0"}, k, name)
		}
	}
}

func TestCheckout(t *testing.T) {
	here, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	k, err := Checkout("../..")
	require.NoError(t, err)
	assert.Equal(t, Keyway{Dir: here}, k)
	for _, dir := range []string{"../../contract", t.TempDir(), "none"} {
		_, err := Checkout(dir)
		var input *InputError
		require.True(t, errors.As(err, &input), dir)
		assert.True(t, strings.HasPrefix(err.Error(), dir+" is no checkout of Keyway"), err)
	}
}
