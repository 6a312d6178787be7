package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
)

// Config is what a driver's author says about testing it: conformance.json,
// beside driver.json.
//
//	{
//	  "dsn": "file:{{tempdir}}/test.db",
//	  "waivers": [
//	    {"check": "tx/read-only", "reason": "SQLite has no such transactions", "url": "https://example.com/1"}
//	  ],
//	  "suite": {"dialect": "sqlite"}
//	}
type Config struct {
	// DSN is what the checks open. {{tempdir}} stands for a directory that
	// each check has of its own, and {{env:NAME}} for the value of the
	// environment variable NAME, which must not be empty: a server's address
	// and password belong to whoever runs the checks, not into a file.
	DSN string `json:"dsn,omitempty"`
	// Waivers are the failures that are known.
	Waivers []Waiver `json:"waivers,omitempty"`
	// Suite holds options whose meaning is the suite's.
	Suite json.RawMessage `json:"suite,omitempty"`
}

// Waiver says that a check is known to fail. The check runs all the same; when
// it passes, or when there is no such check, the waiver itself fails the run.
type Waiver struct {
	// Check is a check's ID or a pattern as in path.Match, such as "tx/*".
	Check string `json:"check"`
	// Reason is a sentence for people.
	Reason string `json:"reason"`
	// URL is where more is said, usually an issue of the upstream driver.
	URL string `json:"url"`
}

// ReadConfig reads a conformance.json strictly: an unknown key, a waiver
// without a reason or URL, or a malformed pattern is an error, which names the
// file.
func ReadConfig(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, err
	}
	var c Config
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: something follows after the JSON object", file)
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// Validate returns every fault of the waivers.
func (c Config) Validate() error {
	var faults []error
	for i, w := range c.Waivers {
		fault := func(text string) { faults = append(faults, fmt.Errorf("waivers[%d] (%s): %s", i, w.Check, text)) }
		if _, err := path.Match(w.Check, ""); err != nil || w.Check == "" {
			fault(`"check" is not a check's id or a pattern such as "tx/*"`)
		}
		if strings.TrimSpace(w.Reason) == "" {
			fault(`"reason" is missing`)
		}
		if strings.TrimSpace(w.URL) == "" {
			fault(`"url" is missing`)
		}
	}
	return errors.Join(faults...)
}

// Matches tells whether an ID is meant by a pattern: the ID itself, a pattern
// of path.Match, or a family ("tx" for "tx/*").
func Matches(pattern, id string) bool {
	if !strings.Contains(pattern, "/") {
		pattern += "/*"
	}
	ok, err := path.Match(pattern, id)
	return ok && err == nil
}

// placeholder is what expandDSN replaces. The second group is what stands for
// an environment variable.
var placeholder = regexp.MustCompile(`\{\{(tempdir|env:([^{}]*))\}\}`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expandDSN replaces {{tempdir}} by the check's own directory and {{env:NAME}}
// by the variable's value, in which nothing is replaced again. An error does
// not quote a value, nor the rest of the DSN.
func expandDSN(dsn, tempDir string) (string, error) {
	var faults []error
	expanded := placeholder.ReplaceAllStringFunc(dsn, func(word string) string {
		name, isEnv := strings.CutPrefix(word[2:len(word)-2], "env:")
		value := os.Getenv(name)
		switch {
		case !isEnv:
			return tempDir
		case !variableName.MatchString(name):
			faults = append(faults, fmt.Errorf("%s in the DSN is not of the form {{env:NAME}}", word))
		case value == "":
			faults = append(faults, fmt.Errorf("the DSN is to have the value of the environment variable %s, which is not set", name))
		}
		return value
	})
	if strings.Contains(placeholder.ReplaceAllString(dsn, ""), "{{env:") {
		faults = append(faults, errors.New("{{env: in the DSN has no }} behind a name"))
	}
	if len(faults) > 0 {
		return "", errors.Join(faults...)
	}
	return expanded, nil
}
