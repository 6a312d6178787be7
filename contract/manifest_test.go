package contract

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const goodManifest = `{
  "name": "sqlite", "version": "1.2.0-rc.1+build.5",
  "contract": {"name": "sql", "version": "^1.0"},
  "description": "SQLite, pure Go", "license": "BSD-3-Clause", "homepage": "https://example.com/sqlite",
  "aliases": ["sqlite3"], "schemes": ["sqlite", "file"]
}`

func TestParseManifest(t *testing.T) {
	got, err := ParseManifest([]byte(goodManifest))
	if err != nil {
		t.Fatal(err)
	}
	want := Manifest{
		Name: "sqlite", Version: "1.2.0-rc.1+build.5", Contract: ContractRef{"sql", "^1.0"},
		Description: "SQLite, pure Go", License: "BSD-3-Clause", Homepage: "https://example.com/sqlite",
		Aliases: []string{"sqlite3"}, Schemes: []string{"sqlite", "file"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// minimal returns the shortest manifest, with words replaced.
func minimal(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"name":"x","version":"1.0.0","contract":{"name":"sql","version":"^1"}}`)
}

// badManifests are texts that are refused, and why.
var badManifests = map[string]struct{ text, fault string }{
	"empty":                {"", "manifest is empty"},
	"white space":          {" \n", "manifest is empty"},
	"over 64 KiB":          {minimal() + strings.Repeat(" ", MaxManifestSize), "at most 65536 are allowed"},
	"invalid UTF-8":        {minimal("x", "\xff"), "not valid UTF-8"},
	"not JSON":             {"name: x", "line 1: invalid character"},
	"an array":             {"[]", "must be one JSON object"},
	"null":                 {"null", "must be one JSON object"},
	"ends early":           {`{"name":"x"`, "ends too early"},
	"syntax on line 2":     {"{\n\"name\":,}", "line 2: "},
	"two values":           {minimal() + `{}`, "something follows"},
	"trailing garbage":     {minimal() + `x`, "something follows"},
	"unknown key":          {minimal(`"name":"x"`, `"name":"x","nmae":"x"`), `unknown key "nmae"`},
	"unknown inner key":    {minimal(`"name":"sql"`, `"name":"sql","min":"1"`), `unknown key "min"`},
	"other letters":        {minimal(`"name":"x"`, `"Name":"x"`), `unknown key "Name"; keys are in lower case`},
	"repeated key":         {minimal(`"name":"x"`, `"name":"x","name":"y"`), `key "name" is given twice`},
	"repeated inner key":   {minimal(`"name":"sql"`, `"name":"sql","name":"y"`), `key "name" is given twice`},
	"wrong kind":           {minimal(`"x"`, `1`), "name: found a JSON number, wanted string"},
	"deep":                 {`{"aliases":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}", "exceeded max depth"},
	"no name":              {minimal(`"x"`, `""`), "name: is missing"},
	"name in capitals":     {minimal(`"x"`, `"X"`), `name: "X" does not match`},
	"name with a slash":    {minimal(`"x"`, `"../x"`), `name: "../x" does not match`},
	"name with a new line": {minimal(`"x"`, `"x\n"`), "does not match"},
	"long name":            {minimal(`"x"`, `"`+strings.Repeat("x", 65)+`"`), "does not match"},
	"no version":           {minimal("1.0.0", ""), "version: is missing"},
	"version with v":       {minimal("1.0.0", "v1.0.0"), `version: "v1.0.0" is not a semantic version`},
	"short version":        {minimal("1.0.0", "1.0"), "is not a semantic version"},
	"leading zero":         {minimal("1.0.0", "1.00.0"), "is not a semantic version"},
	"no contract":          {`{"name":"x","version":"1.0.0"}`, "contract.name: is missing"},
	"empty constraint":     {minimal("^1", " "), "contract.version: is empty"},
	"escape sequence":      {minimal(`"name":"x"`, `"name":"x","description":"a\u001b[2J"`), "description: has a control character"},
	"two lines":            {minimal(`"name":"x"`, `"name":"x","license":"a\nb"`), "license: has a control character"},
	"bad alias":            {minimal(`"name":"x"`, `"name":"x","aliases":["A"]`), "aliases[0]: "},
	"alias is the name":    {minimal(`"name":"x"`, `"name":"x","aliases":["x"]`), `aliases[0]: "x" is given twice`},
	"alias twice":          {minimal(`"name":"x"`, `"name":"x","aliases":["a","a"]`), `aliases[1]: "a" is given twice`},
	"bad scheme":           {minimal(`"name":"x"`, `"name":"x","schemes":["http:"]`), "schemes[0]: "},
	"scheme twice":         {minimal(`"name":"x"`, `"name":"x","schemes":["a","a"]`), "given twice"},
}

func TestParseManifestRefuses(t *testing.T) {
	if _, err := ParseManifest([]byte(minimal())); err != nil {
		t.Fatal(err)
	}
	for name, c := range badManifests {
		t.Run(name, func(t *testing.T) {
			m, err := ParseManifest([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
			if !reflect.DeepEqual(m, Manifest{}) {
				t.Errorf("a refused manifest is handed out: %+v", m)
			}
		})
	}
}

func TestValidateJoinsAllFaults(t *testing.T) {
	err := Manifest{Name: "X", Version: "1"}.Validate()
	for _, want := range []string{"name:", "version:", "contract.name:", "contract.version:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

// Whatever is accepted survives being written and read again.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(goodManifest))
	f.Add([]byte(minimal()))
	for _, name := range slices.Sorted(maps.Keys(badManifests)) {
		f.Add([]byte(badManifests[name].text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseManifest(text)
		if err != nil {
			return
		}
		if err := m.Validate(); err != nil {
			t.Errorf("accepted, but not valid: %v", err)
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > MaxManifestSize {
			t.Skip("escapes made it longer than is allowed")
		}
		n, err := ParseManifest(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if len(m.Aliases) == 0 {
			m.Aliases = nil
		}
		if len(m.Schemes) == 0 {
			m.Schemes = nil
		}
		if !reflect.DeepEqual(m, n) {
			t.Errorf("%+v\nbecame %+v", m, n)
		}
	})
}
