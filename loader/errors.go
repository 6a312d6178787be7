package loader

import (
	"strings"
	"unicode"

	"github.com/keyway-go/keyway/loader/inspect"
)

// Stage is a step of the way from a name to a driver.
type Stage string

// The stages, in their order.
const (
	StageFind     Stage = "find"     // from a name to a file
	StageAdmit    Stage = "admit"    // the file's bytes, read once
	StageInspect  Stage = "inspect"  // facts from the bytes
	StageFit      Stage = "fit"      // the driver's facts against the host's
	StageAgree    Stage = "agree"    // manifest and versions
	StageStage    Stage = "stage"    // a private copy
	StageProbe    Stage = "probe"    // if asked, a first try in a child process
	StageOpen     Stage = "open"     // the first that runs code of the file in this process
	StageBind     Stage = "bind"     // symbols, types, NewDriver
	StageRegister Stage = "register" // the driver becomes known
)

// LoadError says why a driver was not loaded. It is always a *LoadError.
type LoadError struct {
	// Stage refused the driver; the stages before it accepted it.
	Stage Stage
	// Driver is the name asked for, or the manifest's once it is known, or "".
	Driver string
	// File is the driver file, or "" if none was found.
	File string
	// Wanted and Found are what the stage compared, in words.
	Wanted, Found string
	// Remedy is what to do about it, a command where there is one.
	Remedy string
	// Misfits are all the reasons of stage fit, or those for which stage open
	// takes no file beside one that is open, or nil.
	Misfits []inspect.Misfit
	// Err is the cause below, or nil.
	Err error
}

// Error returns one line with everything but the misfits after the first.
func (e *LoadError) Error() string {
	var b strings.Builder
	b.WriteString("load driver")
	if e.Driver != "" {
		b.WriteString(" " + e.Driver)
	}
	if e.File != "" {
		b.WriteString(" (" + e.File + ")")
	}
	b.WriteString(": " + string(e.Stage) + ": wanted " + e.Wanted + ", found " + e.Found)
	if e.Remedy != "" {
		b.WriteString("; remedy: " + e.Remedy)
	}
	return oneLine(b.String())
}

// oneLine keeps what comes from files and drivers from moving a terminal's
// cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// Unwrap returns Err.
func (e *LoadError) Unwrap() error { return e.Err }
