//go:build linux

package isolate_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
)

// tree reads the files below a directory, under a prefix, into files.
func tree(t *testing.T, files map[string]string, prefix, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		files[path.Join(prefix, filepath.ToSlash(rel))] = string(text)
		return err
	})
	require.NoError(t, err)
}

// codec returns a module of testdata/codec, a host or a driver, with the
// contract at a version: 1.0.0, 1.4.0 or 2.0.0. The second major version has
// another method in its required interface, and so a module path of its own.
func codec(t *testing.T, part, name, version string) fixture.Source {
	t.Helper()
	s := fixture.Source{Name: name, Files: map[string]string{}, Args: []string{"-trimpath"}}
	tree(t, s.Files, "", "testdata/codec/"+part)
	tree(t, s.Files, "contract", "testdata/codec/contract")
	drop, module := "v1_4.go", "example.com/codec/contract"
	if version == "1.4.0" {
		drop = "v1_0.go"
	}
	delete(s.Files, drop)
	delete(s.Files, "contract/"+drop)
	second := strings.NewReplacer()
	if version == "2.0.0" {
		second = strings.NewReplacer(`"1.0.0"`, `"2.0.0"`, "Encode(", "EncodeAll(", module, module+"/v2")
		module += "/v2"
	}
	for file, text := range s.Files {
		s.Files[file] = second.Replace(strings.ReplaceAll(text, "NAME", name))
	}
	s.Files["contract/go.mod"] = "module " + module + "\n\ngo 1.26\n\nrequire " + contractModule + " v0.0.0\n"
	s.Mod = "\nrequire " + module + " v" + version + "\n\nreplace " + module + " => ./contract\n"
	return s
}

// codecDriver returns a driver written for a version of the contract.
func codecDriver(t *testing.T, name, version, accepts string) fixture.Source {
	s := codec(t, "driver", name, version)
	s.Files["driver.json"] = `{"name": "` + name + `", "version": "0.1.0", "contract": {"name": "codec", "version": "` + accepts + `"}}`
	return s
}

// runHost runs a host with driver files and returns what it printed.
func runHost(t *testing.T, program string, files ...string) string {
	t.Helper()
	out, err := exec.Command(program, append([]string{filepath.Join(t.TempDir(), "staged")}, files...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// Guards what the project promises first: host and driver hold different
// versions of a contract, and work together as far as the versions say so.
func TestContractVersions(t *testing.T) {
	hosts := map[string]string{}
	for _, version := range []string{"1.0.0", "1.4.0", "2.0.0"} {
		hosts[version] = fixture.Program(t, codec(t, "host", "codechost"+version[:1]+version[2:3], version))
	}
	driver := func(name, version, accepts string) string {
		return fixture.DriverFor(t, hosts["1.4.0"], codecDriver(t, name, version, accepts))
	}
	old := driver("codec10", "1.0.0", "^1.0")
	recent := driver("codec14", "1.4.0", "^1.0")
	strict := driver("codecstrict", "1.4.0", "^1.4")
	second := driver("codec20", "2.0.0", "^2.0")

	const (
		works  = "encode X:6B6579776179 <nil>\ndecode key\nencode: nothing to encode: code empty, is empty true, database code not_null_violation\n"
		alien  = "encode: too long: code unknown, is empty false, database code invalid_data\n"
		native = "encode: too long: code too_long, is empty false, database code invalid_data\n"
		knows  = "knows Decoder\n"
		sizer  = "knows Sizer\n"
	)
	refused := func(name, version, accepts string) string {
		return name + " refused by agree: wanted a driver that accepts contract codec " + version + ", which this host has, found driver " + name +
			" 0.1.0, which accepts codec " + accepts + "; remedy: use a version of the driver that accepts " + version +
			", or a host with a contract that the driver accepts\n"
	}
	for version, want := range map[string]string{
		"1.4.0": "codec10 0.1.0 for ^1.0 in 1.4.0\n" + works + alien + knows + sizer + "is too long false\nno sizer\n" +
			"codec14 0.1.0 for ^1.0 in 1.4.0\n" + works + native + knows + sizer + "is too long true\nsize {Min:14 Max:14}\n" +
			"codecstrict 0.1.0 for ^1.4 in 1.4.0\n" + works + native + knows + sizer + "is too long true\nsize {Min:14 Max:14}\n" +
			refused("codec20", "1.4.0", "^2.0"),
		"1.0.0": "codec10 0.1.0 for ^1.0 in 1.0.0\n" + works + alien + knows +
			"codec14 0.1.0 for ^1.0 in 1.0.0\n" + works + alien + knows +
			refused("codecstrict", "1.0.0", "^1.4") +
			refused("codec20", "1.0.0", "^2.0"),
		"2.0.0": refused("codec10", "2.0.0", "^1.0") + refused("codec14", "2.0.0", "^1.0") + refused("codecstrict", "2.0.0", "^1.4") +
			"codec20 0.1.0 for ^2.0 in 2.0.0\n" + works + alien + knows,
	} {
		assert.Equal(t, want, runHost(t, hosts[version], old, recent, strict, second), "host %s", version)
	}
}

// Guards the reason to build isolated, and that a user is told it: of a plain
// build, the same difference of versions is a misfit.
func TestContractVersionsInPlainBuilds(t *testing.T) {
	host := fixture.Program(t, codec(t, "host", "codechost14", "1.4.0"))
	plain := func(name, version string) string {
		s := codecDriver(t, name, version, "^1.0")
		s.Files["main.go"] = "package main\n\nimport driver \"example.com/fixture/" + name + "/driver\"\n\nvar NewDriver = driver.NewDriver\n\n" +
			"var DriverManifest = `" + s.Files["driver.json"] + "`\n"
		for _, file := range []string{"driver.go", "driver.json", "v1_0.go", "v1_4.go"} {
			if text, ok := s.Files[file]; ok {
				s.Files["driver/"+file] = text
				delete(s.Files, file)
			}
		}
		return fixture.Build(t, s)
	}
	same := runHost(t, host, plain("codecplain14", "1.4.0"))
	assert.Contains(t, same, "codecplain14 0.1.0 for ^1.0 in 1.4.0\nencode ", "the flags of the plain build fit")

	out := runHost(t, host, plain("codecplain10", "1.0.0"))
	assert.Contains(t, out, "codecplain10 refused by fit: wanted example.com/codec/contract v1.4.0, ")
	assert.Contains(t, out, "found v1.0.0, ")
	assert.Contains(t, out, "remedy: drivercheck build DIR, which lets the driver share nothing but the standard library")
	assert.Contains(t, out, "example.com/codec/contract differs", "it names the package")
	assert.Equal(t, 1, strings.Count(out, "misfit "), "%s", out)
	assert.NotContains(t, out, "encode")
}
