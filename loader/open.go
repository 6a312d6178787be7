package loader

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
)

// symbols are the exported names of a plugin that was opened.
type symbols interface {
	// Lookup returns a function, or a pointer to a variable.
	Lookup(name string) (any, error)
}

// plugins are what this process has opened or tried to, whichever loader
// asked: the runtime has one list of them, keeps a failed one for ever, and
// blocks whoever opens it again.
var plugins = struct {
	sync.Mutex
	bySum  map[string]openResult // by hash, as loaders can have caches of their own
	byPath map[string]string     // plugin path to hash
}{bySum: map[string]openResult{}, byPath: map[string]string{}}

var errUnsupported = errors.New("this program cannot load driver files")

type openResult struct {
	symbols symbols
	err     *LoadError // never handed out, since callers fill in their names
}

// open loads a staged file into the process. Its init functions run here. The
// lock is held throughout, as the plugin package's own is for most of the way.
func open(file, pluginPath, sum string) (symbols, error) {
	plugins.Lock()
	defer plugins.Unlock()
	if r, ok := plugins.bySum[sum]; ok {
		if r.err != nil {
			again := *r.err
			again.Found = "a file that failed before and is not opened again: " + r.err.Found
			return nil, &again
		}
		return r.symbols, nil
	}
	if other, ok := plugins.byPath[pluginPath]; ok && other != sum {
		return nil, &LoadError{Stage: StageOpen, Wanted: "a plugin path that is not in use",
			Found:  fmt.Sprintf("%s, which this process has opened with other content (sha256 %.12s, this file %.12s)", pluginPath, other, sum),
			Remedy: "restart the program to load the other build, or build it with a plugin path of its own"}
	}
	// Whatever happens, this path is taken from now on.
	plugins.byPath[pluginPath] = sum
	s, err := openRecovered(file)
	if err != nil {
		kept := *err
		plugins.bySum[sum] = openResult{err: &kept}
		return nil, err
	}
	plugins.bySum[sum] = openResult{symbols: s}
	return s, nil
}

func openRecovered(file string) (s symbols, failure *LoadError) {
	defer func() {
		if v := recover(); v != nil {
			failure = &LoadError{Stage: StageOpen, Wanted: "init functions that return",
				Found:  fmt.Sprintf("a panic: %v", v),
				Remedy: "report this to the driver's author: init must not panic; the file is not opened again before the program restarts",
				Err:    &PanicError{Value: v, Stack: debug.Stack()}}
		}
	}()
	s, err := openPlugin(file)
	if err != nil {
		return nil, &LoadError{Stage: StageOpen, Wanted: "a plugin that the runtime accepts",
			Found:  strings.TrimPrefix(err.Error(), fmt.Sprintf("plugin.Open(%q): ", strings.TrimSuffix(file, ".so"))),
			Remedy: openRemedy, Err: err}
	}
	return s, nil
}

// PanicError is a panic of a driver's code that was recovered.
type PanicError struct {
	Value any
	Stack []byte
}

// Error returns the value of the panic in words, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value if the code panicked with an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
