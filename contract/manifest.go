package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxManifestSize is how long the text of a manifest may be, in bytes.
const MaxManifestSize = 64 << 10

// Manifest is what a driver file says of itself: the JSON text in its
// DriverManifest symbol, usually embedded from driver.json.
//
//	{
//	  "name": "sqlite", "version": "1.2.0",
//	  "contract": {"name": "sql", "version": "^1.0"},
//	  "description": "SQLite, pure Go", "license": "BSD-3-Clause",
//	  "homepage": "https://example.com/sqlite",
//	  "aliases": ["litefile"], "schemes": ["sqlite", "file"]
//	}
//
// The first three keys are required.
type Manifest struct {
	// Name is the driver's name: [a-z][a-z0-9_-]{0,63}.
	Name string `json:"name"`
	// Version is the driver's semantic version, without a leading "v".
	Version string `json:"version"`
	// Contract is the contract that the driver was written for.
	Contract ContractRef `json:"contract"`
	// Description is one line for people.
	Description string `json:"description,omitempty"`
	// License is an SPDX expression.
	License string `json:"license,omitempty"`
	// Homepage is a URL.
	Homepage string `json:"homepage,omitempty"`
	// Aliases are further names for sql.Open, of the same form as Name.
	Aliases []string `json:"aliases,omitempty"`
	// Schemes are the URL schemes of DSNs that the driver claims, in lower
	// case (RFC 3986, section 3.1).
	Schemes []string `json:"schemes,omitempty"`
}

// ContractRef names a contract and the versions of it that a driver accepts.
type ContractRef struct {
	// Name is the contract's.
	Name string `json:"name"`
	// Version is a constraint such as "^1.2". Its grammar is the host's
	// (github.com/Masterminds/semver); here it must only be there.
	Version string `json:"version"`
}

// ParseManifest reads and validates the text of a manifest. It refuses more
// than [MaxManifestSize] bytes, invalid UTF-8, anything but one JSON object,
// unknown or repeated keys, and whatever [Manifest.Validate] refuses.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	if len(text) > MaxManifestSize {
		return m, fmt.Errorf("manifest has %d bytes; at most %d are allowed", len(text), MaxManifestSize)
	}
	if !utf8.Valid(text) {
		return m, errors.New("manifest is not valid UTF-8")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return m, errors.New("manifest is empty")
	}
	if err := checkKeys(text); err != nil {
		return m, fmt.Errorf("manifest: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", jsonFault(text, err))
	}
	if err := m.Validate(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// Validate checks every key and joins all faults. It does not check the
// grammar of the contract's constraint.
func (m Manifest) Validate() error {
	var faults []error
	check := func(key string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("manifest: %s: %w", key, err))
		}
	}
	check("name", checkName(m.Name))
	check("version", checkVersion(m.Version))
	check("contract.name", checkName(m.Contract.Name))
	if strings.TrimSpace(m.Contract.Version) == "" {
		check("contract.version", errors.New(`is empty; give the versions that the driver accepts, such as "^1.0"`))
	}
	check("description", checkLine(m.Description))
	check("license", checkLine(m.License))
	check("homepage", checkLine(m.Homepage))
	for i, a := range m.Aliases {
		check(fmt.Sprintf("aliases[%d]", i), checkName(a))
		if a == m.Name || slices.Contains(m.Aliases[:i], a) {
			check(fmt.Sprintf("aliases[%d]", i), fmt.Errorf("%q is given twice", a))
		}
	}
	for i, s := range m.Schemes {
		if !schemePattern.MatchString(s) {
			check(fmt.Sprintf("schemes[%d]", i), fmt.Errorf("%q is not a URL scheme in lower case", s))
		}
		if slices.Contains(m.Schemes[:i], s) {
			check(fmt.Sprintf("schemes[%d]", i), fmt.Errorf("%q is given twice", s))
		}
	}
	return errors.Join(faults...)
}

var (
	namePattern   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
	schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	// From semver.org, item 9 of the specification, in groups that Go needs not.
	versionPattern = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)` +
		`(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
		`(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`)
)

func checkName(name string) error {
	if name == "" {
		return errors.New("is missing")
	}
	if !namePattern.MatchString(name) {
		return fmt.Errorf("%q does not match [a-z][a-z0-9_-]{0,63}", clip(name))
	}
	return nil
}

func checkVersion(version string) error {
	if version == "" {
		return errors.New("is missing")
	}
	if !versionPattern.MatchString(version) {
		return fmt.Errorf("%q is not a semantic version such as 1.2.0", clip(version))
	}
	return nil
}

// checkLine refuses what could repaint the terminal that it is shown on.
func checkLine(text string) error {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("has a control character; one line of text is wanted")
	}
	return nil
}

// clip keeps a hostile value from filling a terminal.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// checkKeys refuses what encoding/json lets pass: a repeated key, a key in
// other letters' case, more than one value. Depth is bounded by the size of the
// text, and by the decoder that comes after.
func checkKeys(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	type object struct {
		keys  map[string]bool // nil in an array
		atKey bool
	}
	var stack []object
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) && len(stack) == 0 {
			return nil
		}
		if err != nil {
			return jsonFault(text, err)
		}
		if len(stack) == 0 && tok != json.Delim('{') {
			return errors.New("must be one JSON object")
		}
		switch tok {
		case json.Delim('{'):
			stack = append(stack, object{keys: map[string]bool{}, atKey: true})
			continue
		case json.Delim('['):
			stack = append(stack, object{})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				if rest := bytes.TrimSpace(text[dec.InputOffset():]); len(rest) > 0 {
					return errors.New("something follows after the JSON object")
				}
				return nil
			}
		}
		top := &stack[len(stack)-1]
		if top.keys == nil {
			continue
		}
		if key, ok := tok.(string); ok && top.atKey {
			switch {
			case top.keys[key]:
				return fmt.Errorf("key %q is given twice", clip(key))
			case key != strings.ToLower(key):
				return fmt.Errorf("unknown key %q; keys are in lower case", clip(key))
			}
			top.keys[key] = true
			top.atKey = false
			continue
		}
		top.atKey = true
	}
}

// jsonFault adds the line to a decoding error, which has only an offset, and
// says an error of the decoder in the words of a manifest.
func jsonFault(text []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	offset := int64(-1)
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
		err = fmt.Errorf("%s: found a JSON %s, wanted %s", kind.Field, kind.Value, kind.Type)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the JSON text ends too early")
	default:
		if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return fmt.Errorf("unknown key %s", key)
		}
	}
	if offset < 0 || offset > int64(len(text)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:offset], []byte("\n")), err)
}
