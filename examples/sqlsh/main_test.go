package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/dbserver"
	"github.com/keyway-go/keyway/internal/fixture"
)

// The test binary is the shell, too: driver files are built for it.
func TestMain(m *testing.M) {
	if os.Getenv("SQLSH_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// install puts driver files into a directory, by name.
func install(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, file := range files {
		if err := os.Link(file, filepath.Join(dir, name)); err != nil {
			require.NoError(t, os.Symlink(file, filepath.Join(dir, name)))
		}
	}
	return dir
}

func shellCommand(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SQLSH_MAIN=1")
	return cmd
}

// sqlsh runs the shell with a text as its standard input.
func sqlsh(t *testing.T, text string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := shellCommand(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	require.NoError(t, err)
	return 0, out.String(), errs.String()
}

func TestBatch(t *testing.T) {
	dir := install(t, map[string]string{"sqlite.so": fixture.SQLite(t)})
	db := "file:" + filepath.Join(t.TempDir(), "a.db")
	run := func(text string, args ...string) (int, string, string) {
		return sqlsh(t, text, append([]string{"--drivers", dir}, append(args, "sqlite", db)...)...)
	}

	code, stdout, stderr := run(`create table t (n integer, word text, raw blob);
insert into t values (1, 'one; two', x'00ff'), (-20, null, null);
-- a comment; with a semicolon
select n, word,
  raw from t order by n desc`)
	assert.Equal(t, 0, code, stderr)
	assert.Empty(t, stderr)
	assert.Equal(t, `done
2 rows changed
┌─────┬──────────┬─────────┐
│ n   │ word     │ raw     │
├─────┼──────────┼─────────┤
│   1 │ one; two │ x'00ff' │
│ -20 │ <NULL>   │ <NULL>  │
└─────┴──────────┴─────────┘
(2 rows)
`, stdout)

	// By URL, and for other programs.
	code, stdout, stderr = sqlsh(t, "select * from t where n = 1 union all select 2, '<NULL>', 'a\x1b[2J'", "--drivers", dir, "--csv", "--null", "nil", db)
	assert.Equal(t, 0, code, stderr)
	assert.Equal(t, "n,word,raw\n1,one; two,x'00ff'\n2,<NULL>,a\x1b[2J\n", stdout)

	// What a terminal would obey is spelled out in a table.
	_, stdout, _ = run("select 'a\x1b[2J' as \"c\rd\"")
	assert.Contains(t, stdout, `a\x1b[2J`)
	assert.Contains(t, stdout, `c\rd`)

}

func TestBatchEnds(t *testing.T) {
	dir := install(t, map[string]string{"sqlite.so": fixture.SQLite(t)})
	run := func(text string) (int, string, string) {
		return sqlsh(t, text, "--drivers", dir, "sqlite", ":memory:")
	}
	// It ends at the first error.
	code, stdout, stderr := run("select 1 as one; select * from nowhere; select 2 as two")
	assert.Equal(t, 1, code)
	assert.Contains(t, stdout, "one")
	assert.NotContains(t, stdout, "two")
	assert.Equal(t, "sqlsh: SQL logic error: no such table: nowhere (1) (SQLSTATE 42P01, undefined_object)\n", stderr)

	// All statements share a connection.
	code, stdout, stderr = run("create temp table t (n); begin; insert into t (n) values (3); rollback; select count(*) as n from t;")
	assert.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "│ 0 │")
	assert.Contains(t, stdout, "1 row changed")

	code, _, stderr = run("\\timing\nselect 1;\n.quit\nselect nonsense;")
	assert.Equal(t, 0, code, stderr)
	assert.Regexp(t, `^took [0-9.]+(µs|ms|s)\n$`, stderr)
	code, _, stderr = run(".nonsense")
	assert.Equal(t, 1, code)
	assert.Equal(t, "sqlsh: there is no command \".nonsense\"; \\help lists them\n", stderr)
}

func TestDrivers(t *testing.T) {
	exits := fixture.Plain("sqlshexits", fixture.Manifest("exits", "1.0.0"), `import (
	"database/sql/driver"
	"os"
)

func init() { os.Exit(7) }

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	return nil
}`)
	answering := fixture.Driver(t, fixture.Answering("sqlshanswering", "answering", "1.2.0"))
	dir := install(t, map[string]string{"answering-v1.2.0.so": answering, "exits.so": fixture.Driver(t, exits)})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.so"), []byte("half a fi"), 0o600))

	code, stdout, stderr := sqlsh(t, `\drivers`, "--drivers", dir, "answering", "secret://p4ssword@host")
	assert.Equal(t, 0, code, stderr)
	assert.Regexp(t, `│ answering │ 1\.2\.0 +│ current +│ +0 │ .*answering-v1\.2\.0\.so +│`, stdout)
	assert.Regexp(t, `│ broken +│ +│ failed +│`, stdout)
	assert.Regexp(t, `(?m)^sqlsh: driver broken \(.*broken\.so\) was refused at stage inspect\n  wanted: .*\n  found: `, stdout)
	assert.NotContains(t, stdout+stderr, "p4ssword")

	// A file that ends the process that loads it does not end the shell.
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // which would remember the file
	code, stdout, stderr = sqlsh(t, "select 1;", "--drivers", dir, "exits", "p4ssword")
	assert.Equal(t, 1, code)
	assert.Empty(t, stdout)
	assert.NotContains(t, stderr, "p4ssword")
	assert.Regexp(t, "^sqlsh: driver exits \\(.*exits.so\\) was refused at stage probe\n  wanted: .*\n  found:  exit status 7 ", stderr)
}

func TestWrongCalls(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown driver": {[]string{"--drivers", dir, "oracle", "p4ssword"}, "driver oracle was refused at stage find\n  wanted: oracle.so or oracle-v<version>.so\n"},
		"unknown scheme": {[]string{"--drivers", dir, "redis://:p4ssword@host"}, "wanted: a driver that claims URLs of scheme redis\n"},
		"no URL":         {[]string{"--drivers", dir, "p4ssword"}, `wanted: a URL that begins with a scheme and ":"`},
		"no arguments":   {nil, "accepts between 1 and 2 arg(s), received 0"},
		"unknown flag":   {[]string{"--nonsense"}, "unknown flag: --nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := sqlsh(t, "", c.args...)
			assert.Equal(t, 1, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, c.want)
			assert.NotContains(t, stderr, "p4ssword")
		})
	}
	code, stdout, _ := sqlsh(t, "", "--help")
	assert.Equal(t, 0, code)
	assert.Contains(t, stdout, "Examples:\n  sqlsh --drivers ./drivers sqlite file:app.db\n")
}

func TestPostgres(t *testing.T) {
	server, err := dbserver.Start(t.Context(), dbserver.Postgres)
	if errors.Is(err, dbserver.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer server.Stop()
	dir := install(t, map[string]string{"postgres.so": fixture.FirstParty(t, "postgres")})
	code, stdout, stderr := sqlsh(t, `create function f() returns text language sql as $body$ select 'a;b'; $body$;
create temporary table t (n int);
insert into t values (1), (2) returning n;
select f(), '\x00ff'::bytea as raw, array[1] as a, null as nothing;`, "--drivers", dir, server.DSN)
	assert.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "│ 1 │\n│ 2 │\n")
	assert.Contains(t, stdout, "│ a;b │ x'00ff' │")
	assert.Contains(t, stdout, "<NULL> │")
}
