package sqlsuite

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
)

// The reference preset has every query that is declared, and no preset has
// another.
func TestPresetsHaveDeclaredQueries(t *testing.T) {
	source, err := os.ReadFile("queries.go")
	require.NoError(t, err)
	declared := map[Query]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ +Query = "([a-z-]+)"$`).FindAllStringSubmatch(string(source), -1) {
		declared[Query(m[1])] = true
		assert.True(t, known(Query(m[1])), "the reference preset lacks %s", m[1])
	}
	assert.Greater(t, len(declared), 40)
	for name, p := range presets {
		for q := range p.queries {
			assert.True(t, declared[q], "preset %s: %s is not declared", name, q)
		}
	}
}

// Every text of every preset can be written with the words that the
// documentation of Query names.
func TestPresetsAreWellFormed(t *testing.T) {
	for name := range presets {
		d := resolve(name)
		for q := range d.queries {
			text, _, err := d.text(q, "table", "T", "n", "3", "column", "x")
			assert.NoError(t, err)
			assert.NotContains(t, text, "{{")
		}
	}
}

func TestParseOptions(t *testing.T) {
	for _, good := range []string{``, `{}`, `{"dialect": "sqlite"}`, `{"queries": {"slow-query": "SELECT sleep(60)"}}`} {
		_, err := parseOptions(json.RawMessage(good))
		assert.NoError(t, err, good)
	}
	for bad, fault := range map[string]string{
		`[]`:                         "cannot unmarshal",
		`{"dialect": "klingon"}`:     `no dialect "klingon"; there are mariadb, mysql, postgres, sqlite, standard`,
		`{"queries": {"slow": "x"}}`: `no query is called "slow"`,
		`{"dialects": "sqlite"}`:     `unknown field "dialects"`,
		`{} {}`:                      "something follows",
	} {
		o, err := parseOptions(json.RawMessage(bad))
		assert.ErrorContains(t, err, fault, bad)
		assert.Zero(t, o)
	}
}

// speaker is a driver that says how its SQL is written.
type speaker struct {
	contract.Driver
	dialect string
}

func (s speaker) Dialect() string             { return s.dialect }
func (speaker) Placeholder(int) string        { return "@p" }
func (speaker) QuoteIdentifier(string) string { return "" }

func TestNewDialect(t *testing.T) {
	type mute struct{ contract.Driver }
	for name, c := range map[string]struct {
		options options
		driver  contract.Driver
		text    string // of InsertKV
		fault   string
	}{
		"the driver's": {driver: speaker{dialect: "sqlite"}, text: "INSERT INTO T (id, v) VALUES (@p, @p)"},
		"numbered":     {options{Dialect: "postgres"}, mute{}, "INSERT INTO T (id, v) VALUES ($1, $2)", ""},
		"the option's": {options{Dialect: "standard"}, mute{}, "INSERT INTO T (id, v) VALUES (?, ?)", ""},
		"an override": {options{Dialect: "standard", Queries: map[Query]string{InsertKV: "PUT {{table}} {{2}}"}}, speaker{dialect: "x"},
			"PUT T @p", ""},
		"none":           {driver: mute{}, fault: "has no Dialect method"},
		"one without us": {driver: speaker{dialect: "klingon"}, fault: `no preset for the driver's dialect "klingon"`},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := newDialect(c.options, c.driver)
			if c.fault != "" {
				require.ErrorContains(t, err, c.fault)
				return
			}
			require.NoError(t, err)
			text, ok, err := d.text(InsertKV, "table", "T")
			require.NoError(t, err)
			assert.True(t, ok)
			assert.Equal(t, c.text, text)
		})
	}
}

func TestDialectText(t *testing.T) {
	d := &dialect{name: "test", placeholder: dollar, queries: map[Query]string{
		SelectOne: "a {{table}} {{1}} {{2}} b", BadSyntax: "{{what}}", Comment: "{{table", SlowQuery: "", Empty: "",
	}}
	text, ok, err := d.text(SelectOne, "table", "{{n}}")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, "a {{n}} $1 $2 b", text, "what replaces a word is not read again")

	_, _, err = d.text(BadSyntax)
	assert.ErrorContains(t, err, `query "bad-syntax" of dialect test: {{what}}: the check gives nothing for it`)
	_, _, err = d.text(Comment, "table", "T")
	assert.ErrorContains(t, err, "no }} follows")
	for q, want := range map[Query]bool{SlowQuery: false, SlowExec: false, Empty: true} {
		_, ok, err := d.text(q)
		assert.NoError(t, err)
		assert.Equal(t, want, ok, q)
	}
}
