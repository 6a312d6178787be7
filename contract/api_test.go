package contract

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// apiOf spells a contract, a method a line, sorted within each interface.
func apiOf[D any](c *Contract[D]) string {
	var b strings.Builder
	write := func(word, name string, t reflect.Type) {
		for m := range t.Methods() {
			fmt.Fprintf(&b, "%s %s.%s%s\n", word, name, m.Name, strings.TrimPrefix(m.Type.String(), "func"))
		}
	}
	write("required", "Driver", c.DriverType())
	for _, o := range c.Optional() {
		write("optional", o.Name, o.Type)
	}
	return b.String()
}

// compareAPI returns what a version of a contract may not do to an older one
// of the same major version.
func compareAPI(older, newer string) error {
	var before, after []string
	for line := range strings.Lines(newer) {
		after = append(after, line)
	}
	for line := range strings.Lines(older) {
		before = append(before, line)
		if !slices.Contains(after, line) {
			return fmt.Errorf("was removed or changed within a major version: %s", line)
		}
	}
	for _, line := range after {
		iface, _, _ := strings.Cut(strings.Fields(line)[1], ".")
		isNew := !slices.ContainsFunc(before, func(l string) bool { return strings.Contains(l, " "+iface+".") })
		if !isNew && !slices.Contains(before, line) {
			return fmt.Errorf("a method was added to an interface that exists; make an optional interface of it: %s", line)
		}
	}
	return nil
}

func TestFrozenAPI(t *testing.T) {
	parts := strings.SplitN(SQL.Version(), ".", 3)
	current := filepath.Join("api", parts[0]+"."+parts[1]+".txt")
	recorded, err := os.ReadFile(current)
	if err != nil {
		t.Fatalf("%v\nrecord the new version: write this to contract/%s\n%s", err, current, apiOf(SQL))
	}
	if got := apiOf(SQL); got != string(recorded) {
		t.Errorf("contract sql %s differs from contract/%s; a recorded version does not change.\ngot:\n%s\nrecorded:\n%s",
			SQL.Version(), current, got, recorded)
	}
	files, err := filepath.Glob(filepath.Join("api", parts[0]+".*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		older, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := compareAPI(string(older), apiOf(SQL)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestCompareAPI(t *testing.T) {
	const base = "required Driver.Name() string\noptional Pinger.Ping() error\n"
	for name, c := range map[string]struct {
		newer string
		fault string
	}{
		"same":                       {base, ""},
		"new optional":               {base + "optional Closer.Close() error\n", ""},
		"required removed":           {"optional Pinger.Ping() error\n", "removed or changed"},
		"signature changed":          {"required Driver.Name() error\noptional Pinger.Ping() error\n", "removed or changed"},
		"required added":             {base + "required Driver.Open() error\n", "was added"},
		"optional grown":             {base + "optional Pinger.PingTwice() error\n", "was added"},
		"optional interface removed": {"required Driver.Name() string\n", "removed or changed"},
	} {
		t.Run(name, func(t *testing.T) {
			err := compareAPI(base, c.newer)
			if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
		})
	}
}
