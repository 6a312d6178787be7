package loader

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"

	"github.com/keyway-go/keyway/loader/inspect"
)

// fit compares the driver's facts with those of the running process.
func fit(driver *inspect.Facts, at inspect.Place) error {
	if !Supported {
		return &LoadError{Stage: StageFit, Wanted: "a program that can load driver files",
			Found: "one for " + runtime.GOOS + "/" + runtime.GOARCH + " that cannot", Remedy: openRemedy, Err: errUnsupported}
	}
	host, err := inspect.Self()
	if err != nil {
		return &LoadError{Stage: StageFit, Wanted: "the facts of the running program", Found: err.Error(),
			Remedy: "let the program read its own executable", Err: err}
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
