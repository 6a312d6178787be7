package sqlsuite

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/keyway-go/keyway/contract"
)

// preset is the SQL of a database.
type preset struct {
	// base is the preset that this one changes, "" if none.
	base string
	// placeholder returns the n-th placeholder for drivers that do not say
	// it themselves; nil means that of base.
	placeholder func(n int) string
	// loose says that the database does not hold values to the declared
	// length or precision of their column.
	loose bool
	// queries override those of base. An empty text means that the database
	// has nothing of the kind.
	queries map[Query]string
}

var presets = map[string]preset{
	"standard":  standardPreset,
	"postgres":  postgresPreset,
	"mysql":     mysqlPreset,
	"mariadb":   mariadbPreset,
	"sqlite":    sqlitePreset,
	"reference": referencePreset,
}

// known tells whether a query id exists. The reference preset has them all.
func known(q Query) bool {
	_, ok := referencePreset.queries[q]
	return ok
}

// options is the "suite" object of a conformance.json.
type options struct {
	Dialect string           `json:"dialect"`
	Queries map[Query]string `json:"queries"`
}

func parseOptions(raw json.RawMessage) (options, error) {
	var o options
	if len(raw) == 0 {
		return o, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return options{}, fmt.Errorf("suite options: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return options{}, errors.New("suite options: something follows the object")
	}
	var faults []error
	if _, ok := presets[o.Dialect]; o.Dialect != "" && !ok {
		faults = append(faults, fmt.Errorf("suite options: no dialect %q; there are %s", o.Dialect, presetNames()))
	}
	for _, q := range slices.Sorted(maps.Keys(o.Queries)) {
		if !known(q) {
			faults = append(faults, fmt.Errorf("suite options: no query is called %q", q))
		}
	}
	if len(faults) > 0 {
		return options{}, errors.Join(faults...)
	}
	return o, nil
}

// presetNames lists the dialects that a driver may be of.
func presetNames() string {
	names := slices.Sorted(maps.Keys(presets))
	return strings.Join(slices.DeleteFunc(names, func(name string) bool { return name == "reference" }), ", ")
}

// dialect is how the statements of one driver are written.
type dialect struct {
	name        string
	placeholder func(n int) string
	loose       bool
	queries     map[Query]string
}

// newDialect finds the dialect: the one that the options name, or the one that
// the driver names.
func newDialect(o options, d contract.Driver) (*dialect, error) {
	declared, _ := d.(contract.Dialect)
	name := o.Dialect
	if name == "" && declared != nil {
		name = declared.Dialect()
	}
	switch _, ok := presets[name]; {
	case name == "":
		return nil, fmt.Errorf(`the driver has no Dialect method and the options name no dialect; give {"dialect": "..."}, one of %s`, presetNames())
	case !ok:
		return nil, fmt.Errorf(`there is no preset for the driver's dialect %q; give {"dialect": "standard", "queries": {...}}, or one of %s`, name, presetNames())
	}
	dia := resolve(name)
	if declared != nil {
		dia.placeholder = declared.Placeholder
	}
	maps.Copy(dia.queries, o.Queries)
	return dia, nil
}

// resolve lays a preset over those that it is based on.
func resolve(name string) *dialect {
	p := presets[name]
	dia := &dialect{queries: map[Query]string{}}
	if p.base != "" {
		dia = resolve(p.base)
	}
	dia.name = name
	dia.loose = dia.loose || p.loose
	if p.placeholder != nil {
		dia.placeholder = p.placeholder
	}
	maps.Copy(dia.queries, p.queries)
	return dia
}

// text returns a query with its {{words}} replaced: pairs are names and
// values, and numbers are placeholders. ok is false if the dialect lacks the
// query.
func (d *dialect) text(q Query, pairs ...string) (text string, ok bool, err error) {
	text, there := d.queries[q]
	if !there || text == "" && q != Empty && q != EnableDeferred {
		return "", false, nil
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		out.WriteString(before)
		if !found {
			return out.String(), true, nil
		}
		word, after, closed := strings.Cut(rest, "}}")
		value, err := d.replacement(word, pairs)
		if err != nil || !closed {
			return "", true, fmt.Errorf("query %q of dialect %s: {{%s}}: %w", q, d.name, word, cmpErr(err, errors.New("no }} follows")))
		}
		out.WriteString(value)
		text = after
	}
}

func (d *dialect) replacement(word string, pairs []string) (string, error) {
	if n, err := strconv.Atoi(word); err == nil && n > 0 {
		return d.placeholder(n), nil
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == word {
			return pairs[i+1], nil
		}
	}
	return "", errors.New("the check gives nothing for it")
}

// cmpErr returns the first error that is not nil.
func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func questionMark(int) string { return "?" }

func dollar(n int) string { return "$" + strconv.Itoa(n) }
