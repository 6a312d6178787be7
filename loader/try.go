package loader

import (
	"errors"
	"reflect"
	"strings"

	"github.com/keyway-go/keyway/loader/internal/opener"
	"github.com/keyway-go/keyway/loader/internal/trial"
)

func init() { trial.Register(try) }

// try is what a probe's child does with a file: open, and of bind what can be
// done without the type D. That type is known to code that runs after the child
// is gone, so NewDriver is called by reflection; the program's own bind compares
// types.
func try(job trial.Job, doing func(trial.Doing)) *trial.Fault {
	doing(trial.Open)
	s, failure := openContained(job.File)
	if failure != nil {
		// The dynamic linker may refuse a file because of the machine; what the
		// file's code does is its own fault.
		return asFault(failure, failure.ended())
	}
	newDriver := untypedNewDriver(s)
	if newDriver == nil {
		return nil // bind has the better reason
	}
	doing(trial.NewDriver)
	_, name, err := callNewDriver(newDriver)
	if err == nil {
		err = checkDriverName(name, job.Driver)
	}
	if le, ok := errors.AsType[*LoadError](err); ok {
		return asFault(le, true)
	}
	return nil
}

// ended tells whether code of the file did not return.
func (e *LoadError) ended() bool {
	_, panicked := errors.AsType[*PanicError](e.Err)
	return panicked || errors.Is(e.Err, errGoexit)
}

func asFault(e *LoadError, behaviour bool) *trial.Fault {
	f := &trial.Fault{Wanted: e.Wanted, Found: cut(e.Found, 2<<10), Remedy: e.Remedy, Behaviour: behaviour}
	if p, ok := errors.AsType[*PanicError](e.Err); ok {
		f.Stack = string(p.Stack)
	}
	return f
}

// cut bounds what a driver can make as long as it likes, such as the value of a
// panic.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	return strings.ToValidUTF8(s[:size], "") + " ..."
}

// untypedNewDriver returns NewDriver if it is a function that returns a value,
// or a variable that holds one, else nil.
func untypedNewDriver(s opener.Symbols) func() any {
	v, err := s.Lookup("NewDriver")
	if err != nil {
		return nil
	}
	f := reflect.ValueOf(v)
	if f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	if f.Kind() != reflect.Func || f.IsNil() || f.Type().NumIn() != 0 || f.Type().NumOut() != 1 {
		return nil
	}
	return func() any { return f.Call(nil)[0].Interface() }
}
