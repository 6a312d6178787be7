package loader

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"

	"github.com/keyway-go/keyway/loader/inspect"
)

// fit compares the driver's facts with those of the running process.
func fit(driver *inspect.Facts) error {
	if !Supported {
		return &LoadError{Stage: StageFit, Wanted: "a program that can load driver files",
			Found: "one for " + runtime.GOOS + "/" + runtime.GOARCH + " that cannot", Remedy: openRemedy, Err: errUnsupported}
	}
	host, err := inspect.Self()
	if err != nil {
		return &LoadError{Stage: StageFit, Wanted: "the facts of the running program", Found: err.Error(),
			Remedy: "let the program read its own executable", Err: err}
	}
	misfits := inspect.Fit(driver, host)
	if len(misfits) == 0 {
		return nil
	}
	first := misfits[0]
	e := &LoadError{Stage: StageFit, Misfits: misfits, Remedy: first.Remedy,
		Wanted: strings.TrimSpace(first.Subject + " " + first.Host),
		Found:  fmt.Sprintf("%s in the driver file (%s)", cmp.Or(first.Driver, "none"), first.Cause)}
	switch first.Kind {
	case inspect.KindBuildMode:
	case inspect.KindHost:
		e.Wanted = "a program that can load plugins"
		e.Found = first.Host + " in this program (" + first.Cause + ")"
	default:
		e.Wanted += ", as in this program"
	}
	if more := len(misfits) - 1; more > 0 {
		e.Found += fmt.Sprintf(", and more misfits: %d", more)
	}
	return e
}
