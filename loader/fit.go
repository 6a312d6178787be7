package loader

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/internal/opener"
)

const filesPackage = "github.com/keyway-go/keyway/loader/files"

// Supported tells whether this program can load driver files: it imports package
// loader/files, and was built with cgo, for Linux or FreeBSD. It is to be asked
// when all packages are initialized.
func Supported() bool { return opener.Supported() }

// supported returns why this program cannot load driver files, or nil.
func supported() error {
	switch {
	case opener.Supported():
		return nil
	case !opener.Linked():
		return &LoadError{Stage: StageFit, Wanted: "a program that can load driver files", Found: "one that does not import package " + filesPackage,
			Remedy: "add to the program: import _ " + strconv.Quote(filesPackage), Err: errors.ErrUnsupported}
	}
	return &LoadError{Stage: StageFit, Wanted: "a program that can load driver files", Found: "one for " + runtime.GOOS + "/" + runtime.GOARCH + " that cannot",
		Remedy: "build the program with CGO_ENABLED=1 for Linux or FreeBSD", Err: errors.ErrUnsupported}
}

// fit compares the driver's facts with those of the running process.
func fit(driver *inspect.Facts, at inspect.Place) error {
	if err := supported(); err != nil {
		return err
	}
	host, err := inspect.Self()
	if err != nil {
		return &LoadError{Stage: StageFit, Wanted: "the facts of the running program", Found: err.Error(),
			Remedy: "let the program read its own executable (on Linux by /proc, which must be mounted)", Err: err}
	}
	return refusal(StageFit, inspect.FitIn(driver, host, at))
}

// refusal is the error of a stage for misfits, nil if there is none.
func refusal(stage Stage, misfits []inspect.Misfit) error {
	if len(misfits) == 0 {
		return nil
	}
	e := &LoadError{Stage: stage, Misfits: misfits, Remedy: misfits[0].Remedy}
	e.Wanted, e.Found = inWords(misfits[0])
	if more := len(misfits) - 1; more > 0 {
		e.Found += fmt.Sprintf(", and more misfits: %d", more)
	}
	return e
}

// inWords says what the first misfit is about, as all stages do.
func inWords(m inspect.Misfit) (wanted, found string) {
	host, driver := cmp.Or(m.Host, "none"), cmp.Or(m.Driver, "none")
	switch m.Kind {
	case inspect.KindHost:
		return "a program that can load plugins", fmt.Sprintf("%s in this program (%s)", host, m.Cause)
	case inspect.KindBuildMode:
		return m.Subject + " " + host, fmt.Sprintf("%s in the driver file (%s)", driver, m.Cause)
	case inspect.KindLibrary:
		return m.Subject + ", " + driver, fmt.Sprintf("%s on this machine (%s)", host, m.Cause)
	case inspect.KindLibraryVersion:
		return driver + " of " + m.Subject, fmt.Sprintf("at most %s on this machine (%s)", host, m.Cause)
	case inspect.KindCFunctions:
		return "C functions that are not loaded yet", fmt.Sprintf("%s (%s)", host, m.Cause)
	case inspect.KindLoaded:
		return m.Subject + " not in use", fmt.Sprintf("%s (%s)", host, m.Cause)
	case inspect.KindToolchain:
		return "a Go release in which several plugins work", fmt.Sprintf("%s (%s)", host, m.Cause)
	}
	return strings.TrimSpace(m.Subject+" "+m.Host) + ", as in this program", fmt.Sprintf("%s in the driver file (%s)", driver, m.Cause)
}
