//go:build linux

package badfiles_test

import (
	"strings"
	"testing"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// manifestRoom is how long the manifest of the victim is, with spaces at its end.
const manifestRoom = 50 << 10

var soundManifest = fixture.Manifest("victim", "1.0.0")

func fill(text string) string { return text + strings.Repeat(" ", manifestRoom-len(text)) }

// victim returns a good driver file, of which bad ones are made. It has no
// symbols for debuggers, so that there is less to write.
func victim(t *testing.T) []byte {
	t.Helper()
	s := fixture.Plain("victim", fill(soundManifest), strings.ReplaceAll(complete, "NAME", `"victim"`)+"func NewDriver() Contract { return own{} }")
	s.Args = []string{"-ldflags=-s -w"}
	return read(t, fixture.Build(t, s))
}

// manifests are files whose manifest is missing, is no text or is not valid.
func manifests(t *testing.T) []bad {
	whole := victim(t)
	with := func(old, new string) string { return strings.Replace(soundManifest, old, new, 1) }
	and := func(more string) string { return with(`{"name"`, "{"+more+`,"name"`) }
	const depth = 20_000
	var all []bad
	for _, m := range []struct{ name, text, found string }{
		{"empty", "", "manifest is empty"},
		{"not UTF-8", and("\"description\":\"\xff\""), "not valid UTF-8"},
		{"half a rune at the end", soundManifest + "\xc3", "not valid UTF-8"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "not valid UTF-8"},
		{"NUL bytes", strings.Repeat("\x00", 100), "invalid character"},
		{"byte order mark", "\ufeff" + soundManifest, "line 1"},
		{"invalid JSON", with("{", "<"), "line 1"},
		{"fault on the third line", "{\n\n\"name\":,}", "line 3"},
		{"no object", `["name","version"]`, "must be one JSON object"},
		{"null", "null", "must be one JSON object"},
		{"ends early", soundManifest[:len(soundManifest)-2], "ends too early"},
		{"two objects", soundManifest + soundManifest, "something follows"},
		{"deep arrays", `{"aliases":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}", "exceeded max depth"},
		{"deep arrays without end", `{"aliases":` + strings.Repeat("[", 2*depth), "too early"},
		{"deep objects", strings.Repeat(`{"a":`, depth/3) + "1" + strings.Repeat("}", depth/3), `unknown key "a"`},
		{"unknown key", with(`"name"`, `"nmae"`), `unknown key "nmae"`},
		{"repeated key", and(`"version":"2.0.0"`), `key "version" is given twice`},
		{"key in capitals", with(`"name"`, `"NAME"`), "keys are in lower case"},
		{"name of another kind", with(`"victim"`, "7"), "found a JSON number"},
		{"huge number", with(`"victim"`, "1"+strings.Repeat("0", 1000)), "found a JSON number"},
		{"no name", with(`"victim"`, `""`), "name: is missing"},
		{"name as a path", with("victim", "../victim"), `name: "../victim" does not match`},
		{"long name", with("victim", strings.Repeat("v", 10_000)), "does not match"},
		{"no version", with("1.0.0", ""), "version: is missing"},
		{"bad version", with("1.0.0", "v1.0"), `"v1.0" is not a semantic version`},
		{"no contract", `{"name":"victim","version":"1.0.0"}`, "contract.name: is missing"},
		{"contract of another kind", `{"name":"victim","version":"1.0.0","contract":"sql"}`, "found a JSON string"},
		{"empty constraint", with("^1.0", ""), "contract.version: is empty"},
		{"escape sequence", and(`"description":"\u001b[2J"`), "description: has a control character"},
		{"alias twice", and(`"aliases":["a","a"]`), "given twice"},
		{"scheme as a path", and(`"schemes":["file:///"]`), "is not a URL scheme"},
	} {
		b := of("manifest", m.name, replaced(whole, fill(soundManifest), fill(m.text)))
		b.wanted, b.found, b.remedy = "a valid manifest", m.found, "correct driver.json"
		all = append(all, refusedAt(loader.StageInspect, b))
	}
	return append(all, variables(t)...)
}

// variables are files whose DriverManifest is not what it should be.
func variables(t *testing.T) []bad {
	const function = "func NewDriver() int { return 0 }"
	plain := func(name, text string) fixture.Source {
		return fixture.Source{Name: name, Files: map[string]string{"main.go": "package main\n\n" + text + "\n\n" + function + "\n"}}
	}
	var all []bad
	add := func(name string, s fixture.Source, wanted, found, remedy string) {
		b := of("manifest", name, read(t, fixture.Build(t, s)))
		b.wanted, b.found, b.remedy = wanted, found, remedy
		all = append(all, refusedAt(loader.StageInspect, b))
	}
	const remedy = "DriverManifest string"
	add("missing", fixture.Source{Name: "unnamed", Files: map[string]string{"main.go": "package main\n\n" + function + "\n"}}, "DriverManifest", "none", "driver.json")
	add("bytes", plain("typed", "var DriverManifest = []byte(`{}`)"), "string", "24 bytes", remedy)
	add("interface", plain("boxed", "var DriverManifest any = `{}`"), "string", "interface", remedy)
	add("function", plain("called", "//go:noinline\nfunc DriverManifest() string { return `{}` }"), "string", "STT_FUNC", remedy)
	add("filled in when it runs", plain("filled", "import \"os\"\n\nvar DriverManifest = os.Getenv(\"X\") + \"x\""), "", "", "")
	add("over 64 KiB", fixture.Plain("huge", soundManifest+strings.Repeat(" ", contract.MaxManifestSize), function), "65536 bytes", "656", "")
	return all
}

// agreements are files whose manifest is valid, and not what the host wants.
func agreements(t *testing.T) []bad {
	whole := victim(t)
	with := func(name, old, new string) bad {
		return of("agreement", name, replaced(whole, fill(soundManifest), fill(strings.Replace(soundManifest, old, new, 1))))
	}
	var all []bad
	add := func(b bad, driver, wanted, found, remedy string) {
		b.driver, b.wanted, b.found, b.remedy = driver, wanted, found, remedy
		all = append(all, refusedAt(loader.StageAgree, b))
	}
	add(with("bad constraint", "^1.0", "about one"), "victim", `such as "^1.0"`, `"about one"`, "correct driver.json")
	add(with("long constraint", "^1.0", strings.Repeat("^1.0 || ", 5000)+"^"), "victim", `such as "^1.0"`, "^1.0 || ^1.0", "correct driver.json")
	add(with("other contract", `"sql"`, `"codec"`), "victim", "contract sql", "contract codec", "")
	add(with("newer contract", "^1.0", "^2.0"), "victim", "accepts contract sql "+contract.SQL.Version(), "accepts sql ^2.0", "")
	add(with("no version of the contract", "^1.0", ">1.0 <1.0"), "victim", "accepts contract sql", ">1.0 <1.0", "")
	add(with("pre-release of the contract", "^1.0", "<1.0.0-0"), "victim", "accepts contract sql", "<1.0.0-0", "")

	asked := with("version that the application refuses", "1.0.0", "1.0.1")
	asked.Config.Versions = map[string]string{"victim": "^2.0"}
	add(asked, "victim", "^2.0", "version 1.0.1", "install a version")
	named := func(b bad, name, file string) bad {
		b.Name, b.File = name, file
		return b
	}
	add(named(with("file of another name", "victim", "pitched"), "victim", "victim.so"), "pitched", "driver victim", "driver pitched", "pitched.so")
	add(named(with("file of another version", "1.0.0", "1.0.2"), "victim", "victim-v1.5.0.so"), "victim", "version 1.5.0", "version 1.0.2", "victim-v1.0.2.so")
	add(named(with("path of another version", "1.0.0", "1.0.3"), "", "any-v1.5.0.so"), "victim", "version 1.5.0", "version 1.0.3", "victim-v1.0.3.so")
	return all
}
