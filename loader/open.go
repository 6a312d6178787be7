package loader

import (
	"errors"
	"fmt"
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
	s, err := openContained(file)
	if err != nil {
		kept := *err
		plugins.bySum[sum] = openResult{err: &kept}
		return nil, err
	}
	plugins.bySum[sum] = openResult{symbols: s}
	return s, nil
}

func openContained(file string) (s symbols, failure *LoadError) {
	var err error
	if ended := contain(func() { s, err = openPlugin(file) }); ended != nil {
		return nil, &LoadError{Stage: StageOpen, Wanted: "init functions that return", Found: "a " + ended.Error(),
			Remedy: "report this to the driver's author; the file is not opened again before the program restarts", Err: ended}
	}
	if err != nil {
		return nil, refusedByRuntime(file, err)
	}
	return s, nil
}

// refusedByRuntime puts an error of the runtime or of the dynamic linker in words.
func refusedByRuntime(file string, err error) *LoadError {
	found := err.Error()
	for _, name := range []string{file, strings.TrimSuffix(file, ".so")} {
		found = strings.TrimPrefix(found, fmt.Sprintf("plugin.Open(%q): ", name))
	}
	found = strings.TrimPrefix(found, file+": ")
	remedy := openRemedy
	if strings.Contains(found, "failed to map segment") {
		remedy = "set loader.Config.CacheDir to a directory on a file system that is not mounted noexec"
	}
	return &LoadError{Stage: StageOpen, Wanted: "a plugin that the runtime accepts", Found: found, Remedy: remedy, Err: err}
}
