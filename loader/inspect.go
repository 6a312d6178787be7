package loader

import (
	"bytes"
	"cmp"
	"errors"
	"runtime"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/inspect"
)

// inspectFile reads facts and manifest from the admitted bytes.
func inspectFile(a *admitted) (*inspect.Facts, contract.Manifest, error) {
	facts, err := inspect.Read(bytes.NewReader(a.bytes), int64(len(a.bytes)))
	if err != nil {
		return nil, contract.Manifest{}, formatFault(a.path, err)
	}
	if facts.BuildMode != "plugin" || facts.GOOS != runtime.GOOS || facts.GOARCH != runtime.GOARCH {
		// What is no plugin has no manifest, and of other machines it may not
		// be read: fit has the better reason.
		return facts, contract.Manifest{}, nil
	}
	text, err := facts.ManifestText()
	if errors.Is(err, inspect.ErrNoManifest) {
		return nil, contract.Manifest{}, &LoadError{Stage: StageInspect, File: a.path, Wanted: "an exported string variable DriverManifest",
			Found: "none", Remedy: "embed driver.json: //go:embed driver.json and var DriverManifest string in package main, or use drivercheck build", Err: err}
	}
	if err != nil {
		return nil, contract.Manifest{}, formatFault(a.path, err)
	}
	m, err := contract.ParseManifest([]byte(text))
	if err != nil {
		return nil, contract.Manifest{}, &LoadError{Stage: StageInspect, File: a.path, Wanted: "a valid manifest in DriverManifest",
			Found: err.Error(), Remedy: "correct driver.json and build the driver again", Err: err}
	}
	return facts, m, nil
}

func formatFault(path string, err error) error {
	e := &LoadError{Stage: StageInspect, File: path, Wanted: "a readable driver file", Found: err.Error(),
		Remedy: "copy or build the file again", Err: err}
	if fe, ok := errors.AsType[*inspect.FormatError](err); ok {
		e.Wanted, e.Found, e.Remedy = fe.Wanted, fe.Found, cmp.Or(fe.Remedy, e.Remedy)
	}
	return e
}
