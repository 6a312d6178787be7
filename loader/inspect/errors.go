package inspect

import (
	"errors"
	"fmt"
)

// FormatKind tells the ways apart in which a file cannot be read.
type FormatKind string

// The kinds of a FormatError.
const (
	// NotELF: empty, too short, a script, a file of another system.
	NotELF FormatKind = "not-elf"
	// Truncated: the file ends before something that its headers promise. A
	// host that loaded it would be killed by SIGBUS.
	Truncated FormatKind = "truncated"
	// Unsupported: an ELF file of a sort that is not read: an object file, a
	// core dump, an unknown class or byte order, a table of absurd size.
	Unsupported FormatKind = "unsupported"
	// NotGo: a sound file, but not made by Go, such as a C library.
	NotGo FormatKind = "not-go"
	// TooOld: made by a Go release whose build information is not read.
	TooOld FormatKind = "too-old"
	// Inconsistent: two tables tell different stories, and the dynamic linker
	// believes the one that other tools do not show.
	Inconsistent FormatKind = "inconsistent"
	// Corrupt: a table makes no sense in itself.
	Corrupt FormatKind = "corrupt"
	// BadManifest: DriverManifest is there but is no readable text; only ever
	// found in Facts.ManifestErr.
	BadManifest FormatKind = "bad-manifest"
	// Unreadable: the reader failed; Err says how.
	Unreadable FormatKind = "unreadable"
)

// ErrNoManifest is returned by [Facts.ManifestText] for a file that exports no
// DriverManifest.
var ErrNoManifest = errors.New("inspect: no DriverManifest")

// FormatError says why a file, or the manifest in it, cannot be read. Find it
// with errors.As and act on Kind; the texts are for people.
type FormatError struct {
	Kind   FormatKind `json:"kind"`             // what to act on
	Wanted string     `json:"wanted"`           // what a good file has
	Found  string     `json:"found"`            // what this one has
	Remedy string     `json:"remedy,omitempty"` // what to do about it, "" if nothing is known
	Err    error      `json:"-"`                // the reader's error, with Unreadable, else nil
}

// Error returns one line with what was wanted, what was found and the remedy.
func (e *FormatError) Error() string {
	text := fmt.Sprintf("inspect: %s: wanted %s, found %s", e.Kind, e.Wanted, e.Found)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Remedy != "" {
		text += " (" + e.Remedy + ")"
	}
	return text
}

// Unwrap returns the reader's error, if that is what went wrong.
func (e *FormatError) Unwrap() error { return e.Err }

const copyAgain = "copy or build the file again"

func truncated(what string, end, size uint64) error {
	return &FormatError{
		Kind:   Truncated,
		Wanted: fmt.Sprintf("%d bytes, to the end of %s", end, what),
		Found:  fmt.Sprintf("a file of %d bytes", size),
		Remedy: copyAgain,
	}
}

func corrupt(wanted, found string) error {
	return &FormatError{Kind: Corrupt, Wanted: wanted, Found: found, Remedy: copyAgain}
}

func disagree(wanted, found string) error {
	return &FormatError{
		Kind: Inconsistent, Wanted: wanted, Found: found,
		Remedy: "build the file again, and pass it through no tool that rewrites it",
	}
}

func notGo() error {
	return &FormatError{
		Kind: NotGo, Wanted: "a binary made by Go", Found: "neither build information nor package fingerprints",
		Remedy: "a driver file is made with: drivercheck build DIR",
	}
}
