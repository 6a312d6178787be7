package loader

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/internal/opener"
)

// bind takes NewDriver and DriverManifest from an opened plugin, checks their
// types, and makes the first driver.
func bind[D any](s opener.Symbols, m contract.Manifest, facts *inspect.Facts) (*Driver[D], error) {
	if err := bindManifest(s, facts.Manifest); err != nil {
		return nil, err
	}
	newDriver, err := bindNewDriver[D](s)
	if err != nil {
		return nil, err
	}
	value, name, err := callNewDriver(newDriver)
	if err != nil {
		return nil, err
	}
	if err := checkDriverName(name, m.Name); err != nil {
		return nil, err
	}
	return &Driver[D]{New: newDriver, Value: value}, nil
}

func checkDriverName(name, manifest string) error {
	if name == manifest {
		return nil
	}
	return bindFault(fmt.Sprintf("Name() that returns %q, as the manifest says", manifest), fmt.Sprintf("%.80q", name),
		"make Name and driver.json agree", nil)
}

func bindFault(wanted, found, remedy string, cause error) error {
	return &LoadError{Stage: StageBind, Wanted: wanted, Found: found, Remedy: remedy, Err: cause}
}

// bindManifest compares what was read without running the file with what its
// init functions have made of it.
func bindManifest(s opener.Symbols, read string) error {
	v, err := s.Lookup("DriverManifest")
	if err != nil {
		return bindFault("an exported variable DriverManifest", "none", "use drivercheck build", err)
	}
	text, ok := v.(*string)
	if !ok {
		return bindFault("DriverManifest of type string", typeOf(v), "declare it as: var DriverManifest string", nil)
	}
	if *text != read {
		return bindFault("the DriverManifest that the file holds", "one that was changed when the file was loaded",
			"do not assign to DriverManifest", nil)
	}
	return nil
}

// exportsNewDriver refuses a file of which it is known, before it runs, that
// there will be nothing to bind.
func exportsNewDriver[D any](facts *inspect.Facts) error {
	if slices.Contains(facts.Symbols, "NewDriver") {
		return nil
	}
	return &LoadError{Stage: StageInspect, Wanted: "an exported function NewDriver", Found: "none",
		Remedy: "add to package main: func NewDriver() " + reflect.TypeFor[D]().String()}
}

func bindNewDriver[D any](s opener.Symbols) (func() D, error) {
	v, err := s.Lookup("NewDriver")
	if err != nil {
		return nil, bindFault("NewDriver, which the file exports", "none when it was loaded", "build the file again: drivercheck build", err)
	}
	switch f := v.(type) {
	case func() D:
		return f, nil
	case *func() D:
		if *f == nil {
			return nil, bindFault("a function in the variable NewDriver", "nil", "assign NewDriver where it is declared", nil)
		}
		return *f, nil
	}
	want := reflect.TypeFor[func() D]()
	return nil, bindFault("NewDriver of type "+want.String(), describeDifference(want, reflect.TypeOf(v)),
		"return the contract's Driver, an alias, and not an interface or a type of your own", nil)
}

// callNewDriver makes a driver and asks its name.
func callNewDriver[D any](newDriver func() D) (value D, name string, err error) {
	if ended := contain(func() { value = newDriver() }); ended != nil {
		return value, "", doesNotReturn("NewDriver", ended)
	}
	if isNil(value) {
		return value, "", bindFault("a driver from NewDriver", "nil", "report this to the driver's author", nil)
	}
	named, ok := any(value).(interface{ Name() string })
	if !ok {
		return value, "", bindFault("a driver with a method Name() string", typeOf(value), "add the method to the contract's Driver", nil)
	}
	if ended := contain(func() { name = named.Name() }); ended != nil {
		return value, "", doesNotReturn("Name", ended)
	}
	return value, name, nil
}

func doesNotReturn(function string, ended error) error {
	return bindFault(function+" that returns", "a "+ended.Error(), "report this to the driver's author", ended)
}

// giveLogger hands a logger, if there is one, to a driver that takes one.
func giveLogger(driver any, log *slog.Logger) error {
	setter, ok := driver.(contract.LoggerSetter)
	if !ok || log == nil {
		return nil
	}
	if ended := contain(func() { setter.SetLogger(log) }); ended != nil {
		return doesNotReturn("SetLogger", ended)
	}
	return nil
}

// isNil also finds a nil pointer, map, func and so on inside of an interface.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice:
		return r.IsNil()
	}
	return false
}

func typeOf(v any) string { return "type " + reflect.TypeOf(v).String() }
