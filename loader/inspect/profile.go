package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// ProfileSchema names the form of a Profile. Keys may be added to it.
const ProfileSchema = "keyway.host/1"

// maxProfile bounds a profile, in bytes; a large host's has some 100 KiB.
const maxProfile = 4 << 20

// Profile is the facts of a host program, in a file of their own: who builds
// drivers for a program need not have it.
type Profile struct {
	// Schema is ProfileSchema.
	Schema string `json:"schema"`
	*Facts
}

// WriteProfile writes the facts of a host as a profile.
func WriteProfile(w io.Writer, host *Facts) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(Profile{ProfileSchema, host})
}

// ReadHost reads the facts of a host from its binary or from a profile of it.
// Errors are those of ReadFile; a profile that is not one is a *FormatError.
func ReadHost(path string) (*Facts, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	defer f.Close()
	if !beginsProfile(f) {
		return ReadFile(path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxProfile))
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	return parseProfile(append([]byte{'{'}, text...))
}

// IsProfile tells whether ReadHost takes a file for a profile, and not for a
// binary. Of a file that cannot be read it says no.
func IsProfile(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return beginsProfile(f)
}

// beginsProfile reads the first byte.
func beginsProfile(r io.Reader) bool {
	first := make([]byte, 1)
	_, err := io.ReadFull(r, first)
	return err == nil && first[0] == '{'
}

func parseProfile(text []byte) (*Facts, error) {
	bad := func(found string) (*Facts, error) {
		return nil, &FormatError{Kind: Unsupported, Wanted: "a host profile, as drivercheck host writes it", Found: found,
			Remedy: "drivercheck host PROGRAM > profile.json"}
	}
	var p Profile
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&p); err != nil {
		return bad(err.Error())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("something after the JSON object")
	}
	if p.Schema != ProfileSchema {
		return bad(fmt.Sprintf("the schema %.40q", p.Schema))
	}
	if p.Facts == nil || p.GoVersion == "" || p.Settings == nil || p.Packages == nil {
		return bad("a profile without go_version, settings or packages")
	}
	return p.Facts, nil
}
