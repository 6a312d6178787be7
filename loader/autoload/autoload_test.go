//go:build linux

package autoload_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/internal/procgroup"
)

// hostLimit is how long a host may take; it is only reached by a fault.
const hostLimit = time.Minute

// host is a run of testdata/host.
type host struct {
	program   string
	env       []string
	user      uint32 // to run it as, if not 0
	said, log bytes.Buffer
}

// newHost returns a host whose KEYWAY_DRIVERS are these, and that logs all.
func newHost(t *testing.T, drivers ...string) *host {
	t.Helper()
	program := fixture.Program(t, fixture.Source{Name: "autohost", Files: tree(t, "testdata/host")})
	return &host{program: program, env: []string{"KEYWAY_DRIVERS=" + strings.Join(drivers, ":"), "XDG_CACHE_HOME=" + t.TempDir(), "LEVEL=DEBUG"}}
}

// run lets the host do what args say, and returns what came of each.
func (h *host) run(t *testing.T, args ...string) [][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hostLimit)
	defer cancel()
	results := filepath.Join(t.TempDir(), "results")
	if h.user != 0 {
		results = filepath.Join(filepath.Dir(h.program), "results")
	}
	cmd := exec.CommandContext(ctx, h.program, args...)
	cmd.Env = append(append(os.Environ(), h.env...), "RESULTS="+results)
	cmd.Stdout, cmd.Stderr = &h.said, &h.log
	procgroup.Own(cmd)
	if h.user != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: h.user, Gid: h.user}
	}
	require.NoError(t, cmd.Run(), "the host died:\n%.4000s", &h.log)
	require.Empty(t, h.said.String(), "standard output")
	text, err := os.ReadFile(results)
	require.NoError(t, err)
	var all [][]string
	require.NoError(t, json.Unmarshal(text, &all))
	require.Len(t, all, len(args))
	return all
}

// one is run for a single argument.
func (h *host) one(t *testing.T, arg string) []string {
	t.Helper()
	return h.run(t, arg)[0]
}

// logged returns the messages of a level.
func (h *host) logged(t *testing.T, level string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(h.log.String()) {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) == nil && record["level"] == level {
			all = append(all, strings.TrimSpace(line))
		} else if strings.Contains(line, " "+level+" ") { // before the program has set its handler
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(text)
		return err
	}))
	return files
}

func manifest(name, version, contract string, aliases ...string) string {
	list, err := json.Marshal(aliases)
	if err != nil {
		panic(err) // of strings
	}
	return `{"name":"` + name + `","version":"` + version + `","contract":{"name":"` + contract + `","version":"^1.0"},"aliases":` + string(list) + `}`
}

// answering is a driver that answers with its version.
func answering(name, version string, aliases ...string) fixture.Source {
	s := fixture.Answering(name, name, version)
	s.Files["driver.json"] = manifest(name, version, "sql", aliases...)
	return s
}

func auto(t *testing.T, version string, aliases ...string) string {
	t.Helper()
	return fixture.Driver(t, answering("auto", version, append(aliases, "autoalias")...))
}

// install copies a file to a path.
func install(t *testing.T, file string, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	to := filepath.Join(path...)
	require.NoError(t, os.WriteFile(to, text, 0o755))
	return to
}

func TestNothingToFind(t *testing.T) {
	empty, missing, file := t.TempDir(), filepath.Join(t.TempDir(), "missing"), filepath.Join(t.TempDir(), "auto.so")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		env     string
		warning string
	}{
		"unset":       {"NOTHING=", ""},
		"empty":       {"KEYWAY_DRIVERS=", ""},
		"separators":  {"KEYWAY_DRIVERS=::", ""},
		"empty dir":   {"KEYWAY_DRIVERS=" + empty, ""},
		"missing dir": {"KEYWAY_DRIVERS=" + missing, ""},
		"relative":    {"KEYWAY_DRIVERS=./drivers", `"./drivers" is not absolute`},
		"a file":      {"KEYWAY_DRIVERS=" + file, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.env[0] = c.env
			results := h.run(t, "drivers", "open auto", "list", "refresh", "close")
			require.Equal(t, []string{"taken"}, results[0])
			require.Equal(t, []string{`sql: unknown driver "auto" (forgotten import?)`}, results[1])
			require.Empty(t, results[2])
			require.Empty(t, results[3])
			warnings := h.logged(t, "WARN")
			if c.warning == "" {
				require.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			require.Contains(t, warnings[0], "KEYWAY_DRIVERS is ignored in part")
			require.Contains(t, strings.ReplaceAll(warnings[0], `\"`, `"`), c.warning)
		})
	}
}

// A relative, a missing and an unusable element keep nobody from the others.
func TestPathList(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	install(t, auto(t, "1.0.0"), first, "auto.so")
	install(t, auto(t, "1.1.0", "autonew"), second, "auto-v1.1.0.so")
	notDir := install(t, auto(t, "1.0.0"), t.TempDir(), "auto.so")
	h := newHost(t, "drivers", "/missing/drivers", notDir, first, second, "", first+"/")
	results := h.run(t, "drivers", "query auto", "query autoalias", "query autonew", "list")
	require.Equal(t, []string{"auto", "autoalias", "autonew", "taken"}, results[0])
	for _, r := range results[1:4] {
		require.Equal(t, []string{"1.1.0"}, r, "the loader chooses the version")
	}
	require.Len(t, results[4], 2)
	require.Len(t, h.logged(t, "WARN"), 2)
}

// Nothing runs before the first sql.Open, and then it is loaded once.
func TestFirstUse(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink(auto(t, "1.0.0"), filepath.Join(dir, "auto.so")))
	h := newHost(t, dir)
	results := h.run(t, "drivers", "list", "twenty autoalias", "list")
	require.Equal(t, []string{"auto", "autoalias", "taken"}, results[0])
	require.Equal(t, []string{"auto 1.0.0 discovered 0"}, results[1])
	require.Equal(t, slices.Repeat([]string{"1.0.0"}, 20), results[2])
	require.Equal(t, 1, strings.Count(h.log.String(), `"driver loaded"`), "%s", &h.log)
}

// What goes well is not heard of, unless the program asks for all.
func TestQuiet(t *testing.T) {
	dir := t.TempDir()
	install(t, auto(t, "1.0.0"), dir, "auto.so")
	for level, heard := range map[string]bool{"": false, "INFO": false, "DEBUG": true} {
		h := newHost(t, dir)
		h.env[2] = "LEVEL=" + level
		require.Equal(t, []string{"1.0.0"}, h.one(t, "query auto"))
		require.Equal(t, heard, strings.Contains(h.log.String(), "driver loaded"), "%q: %s", level, &h.log)
		if !heard {
			require.Empty(t, h.log.String())
		}
	}
}

// sql.Open says why a file is of no use, and the program lives.
func TestUnusableFiles(t *testing.T) {
	dir := t.TempDir()
	whole := auto(t, "1.0.0")
	text, err := os.ReadFile(whole)
	require.NoError(t, err)
	write := func(name string, content []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	write("empty.so", nil)
	write("noelf.so", []byte("hello"))
	write("truncated-v1.0.0.so", text[:len(text)/2])
	write("renamed.so", text)
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "fifo.so"), 0o644))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling.so")))
	misfit := fixture.Plain("automisfit", manifest("misfit", "1.0.0", "sql", "misfitalias"), "func NewDriver() {}")
	misfit.Args = []string{"-trimpath"}
	install(t, fixture.Build(t, misfit), dir, "misfit.so")
	// A plain build is not kept from registering what it is registered as.
	registers := fixture.Plain("autoregisters", manifest("registers", "1.0.0", "sql"), `import (
	"database/sql"
	"database/sql/driver"
)

type drv struct{}

func (drv) Name() string                                   { return "registers" }
func (drv) Open(string) (driver.Conn, error)               { return nil, nil }
func (drv) OpenConnector(string) (driver.Connector, error) { return nil, nil }

func init() { sql.Register("registers", drv{}) }

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	return drv{}
}`)
	install(t, fixture.Build(t, registers), dir, "registers.so")
	codec := fixture.Plain("autocodec", manifest("codec", "1.0.0", "codec", "codecalias"), "func NewDriver() {}")
	install(t, fixture.Build(t, codec), dir, "codec.so")
	exits := fixture.Plain("autoexits", manifest("exits", "1.0.0", "sql"), "import \"os\"\n\nfunc init() { os.Exit(3) }\n\nfunc NewDriver() {}")
	install(t, fixture.Build(t, exits), dir, "exits.so")

	wanted := map[string]string{
		"empty": "an empty file", "noelf": "wanted", "truncated": "wanted", "fifo": "found a FIFO", "dangling": "no such file",
		"misfit": "-trimpath", "misfitalias": "-trimpath", "registers": "Register called twice",
		"renamed": "auto", "auto": "auto", "autoalias": "auto", // the manifest's
	}
	h := newHost(t, dir)
	args := []string{"drivers"}
	var names []string
	for name := range wanted {
		names = append(names, name)
		args = append(args, "open "+name)
	}
	results := h.run(t, args...)
	require.ElementsMatch(t, append(names, "exits", "taken"), results[0], "codec is for another contract, exits was not run")
	for i, name := range names {
		said := results[i+1][0]
		require.True(t, strings.HasPrefix(said, "LoadError "), "%s: %s", name, said)
		require.Contains(t, said, wanted[name], name)
		require.Contains(t, said, dir, name)
	}
}

// A file that was no good can be replaced while the program runs.
func TestMended(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "auto.so"), nil, 0o644))
	good := install(t, auto(t, "1.0.0"), t.TempDir(), "auto")
	results := newHost(t, dir).run(t, "query auto", "install "+good+" "+filepath.Join(dir, "auto.so"), "query auto")
	require.Contains(t, results[0][0], "LoadError")
	require.Equal(t, []string{"1.0.0"}, results[2])
}

// Two drivers want the names auto and autoalias; the program has the name taken.
func TestWhoHasAName(t *testing.T) {
	dir := t.TempDir()
	// It is found first.
	install(t, fixture.Driver(t, answering("another", "2.0.0", "auto", "third", "taken")), dir, "another.so")
	install(t, fixture.Driver(t, answering("auto", "1.0.0", "third", "autoalias")), dir, "auto.so")
	h := newHost(t, dir)
	results := h.run(t, "drivers", "query auto", "query third", "query autoalias", "query taken")
	require.Equal(t, []string{"another", "auto", "autoalias", "taken", "third"}, results[0])
	require.Equal(t, []string{"1.0.0"}, results[1], "a driver's own name before an alias")
	require.Equal(t, []string{"2.0.0"}, results[2], "who was found first")
	require.Equal(t, []string{"1.0.0"}, results[3])
	require.Equal(t, []string{"the program's own"}, results[4])
	warnings := h.logged(t, "WARN")
	require.Len(t, warnings, 2)
	require.Contains(t, warnings[0], "name=auto has=auto has_not=another")
	require.Contains(t, warnings[1], "name=third has=another has_not=auto")
}

// The upstream package of a driver file is part of the program, too, and
// registers its name later: sql.Register panics the second time.
func TestUpstreamInProgram(t *testing.T) {
	upstream := map[string]string{
		"upstream/go.mod": "module zzz.example/upstream\n\ngo 1.26\n",
		"upstream/up.go": `package upstream

import (
	"database/sql"
	"database/sql/driver"
	"errors"
)

type Driver struct{}

func (Driver) Open(string) (driver.Conn, error) { return nil, errors.New("linked in") }

func init() { sql.Register("late", Driver{}) }
`}
	const mod = "\nrequire zzz.example/upstream v0.0.0\n\nreplace zzz.example/upstream => ./upstream\n"
	d := answering("late", "1.0.0", "latealias")
	d.Mod = mod
	d.Files["upstream.go"] = "package late\n\nimport _ \"zzz.example/upstream\"\n"
	h := newHost(t, filepath.Dir(install(t, fixture.Driver(t, with(d, upstream)), t.TempDir(), "late.so")))
	require.Equal(t, [][]string{{"late", "latealias", "taken"}, {"1.0.0"}}, h.run(t, "drivers", "query late"))

	program := fixture.Source{Name: "autohost", Mod: mod, Files: tree(t, "testdata/host")}
	program.Files["upstream.go"] = "package main\n\nimport _ \"zzz.example/upstream\"\n"
	program = with(program, upstream)
	h.program = fixture.Program(t, program)
	require.Equal(t, [][]string{{"late", "latealias", "taken"}, {"linked in"}, {"1.0.0"}}, h.run(t, "drivers", "query late", "query latealias"))

	program.Args, program.Env = withoutPlugins.Args, withoutPlugins.Env
	h.program = fixture.Program(t, program)
	results := h.run(t, "drivers", "query late", "query latealias")
	require.Equal(t, [][]string{{"late", "latealias", "taken"}, {"linked in"}}, results[:2])
	require.Contains(t, results[2][0], "CGO_ENABLED=1")
}

func with(s fixture.Source, files map[string]string) fixture.Source {
	for name, text := range files {
		s.Files[name] = text
	}
	return s
}

// An open *sql.DB goes with a new version, one that was made from another's
// driver as well, and the loader says so.
func TestUpdate(t *testing.T) {
	dir, later := t.TempDir(), t.TempDir()
	install(t, auto(t, "1.0.0"), dir, "auto.so")
	next := install(t, auto(t, "1.1.0", "autonew"), later, "auto")
	results := newHost(t, dir).run(t, "keep autoalias", "rename auto traced", "raw auto", "query traced", "refresh",
		"install "+next+" "+filepath.Join(dir, "auto-v1.1.0.so"), "refresh",
		"kept", "kept", "query traced", "query auto", "close", "kept", "open auto")
	require.Equal(t, []string{"1.0.0"}, results[0])
	require.Equal(t, []string{"<nil>"}, results[1])
	require.Equal(t, []string{"driver auto: open: not a DSN"}, results[2])
	require.Equal(t, []string{"1.0.0"}, results[3])
	require.Empty(t, results[4])
	require.Equal(t, []string{"auto 1.0.0 1.1.0"}, results[6])
	require.Equal(t, []string{"1.0.0"}, results[7], "an idle connection serves once more")
	require.Equal(t, [][]string{{"1.1.0"}, {"1.1.0"}, {"1.1.0"}}, results[8:11])
	require.Equal(t, []string{"loader: closed"}, results[12])
	require.Equal(t, []string{"loader: closed"}, results[13])
}

const nobody = 65534

// A program with rights that its starter has not loads nothing at its bidding.
func TestPrivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to act for another user")
	}
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	var on syscall.Statfs_t
	require.NoError(t, syscall.Statfs(dir, &on))
	if on.Flags&syscall.MS_NOSUID != 0 {
		t.Skip("setuid programs gain nothing below " + dir)
	}
	install(t, auto(t, "1.0.0"), dir, "auto.so")
	require.NoError(t, os.Chown(dir, nobody, nobody))

	h := newHost(t, dir)
	h.program, h.user = install(t, h.program, dir, "host"), nobody
	h.env[1] = "XDG_CACHE_HOME=" + dir
	require.Equal(t, [][]string{{"auto", "autoalias", "taken"}, {"1.0.0"}}, h.run(t, "drivers", "query auto"))

	require.NoError(t, os.Chmod(h.program, os.ModeSetuid|0o755)) // of root
	h.log.Reset()
	require.Equal(t, []string{"taken"}, h.one(t, "drivers"))
	warnings := h.logged(t, "WARN")
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "KEYWAY_DRIVERS is ignored")
	require.Contains(t, warnings[0], "gains rights by being started")
}

// withoutPlugins is a host that is built without cgo.
var withoutPlugins = fixture.Source{Name: "autohost", Args: []string{"-race=false"}, Env: []string{"CGO_ENABLED=0"}}

// Without cgo there are no plugins; the names are there, and say so.
func TestWithoutPlugins(t *testing.T) {
	dir := t.TempDir()
	install(t, auto(t, "1.0.0"), dir, "auto.so")
	h := newHost(t, dir)
	program := withoutPlugins
	program.Files = tree(t, "testdata/host")
	h.program = fixture.Program(t, program)
	results := h.run(t, "drivers", "open autoalias")
	require.Equal(t, []string{"auto", "autoalias", "taken"}, results[0])
	require.Contains(t, results[1][0], "LoadError")
	require.Contains(t, results[1][0], "build the program with CGO_ENABLED=1")
}
