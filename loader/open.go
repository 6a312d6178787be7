package loader

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/internal/opener"
)

// plugins are what this process has opened or tried to, whichever loader
// asked: the runtime has one list of them, keeps a failed one for ever, and
// blocks whoever opens it again. What the dynamic linker refused is in neither.
var plugins = struct {
	sync.Mutex
	bySum map[string]openResult // by hash, as loaders can have caches of their own
}{bySum: map[string]openResult{}}

type openResult struct {
	symbols opener.Symbols
	staged  *staged    // in use for ever, unless it failed
	err     *LoadError // never handed out, since callers fill in their names
}

// opened tells whether a file was opened in this process, or failed to be.
func opened(sum string) bool {
	plugins.Lock()
	defer plugins.Unlock()
	_, ok := plugins.bySum[sum]
	return ok
}

// open loads a staged file into the process. Its init functions run here. The
// lock is held throughout, as the plugin package's own is for most of the way.
// What is not in use afterwards is released.
func open(file *staged, path string, facts *inspect.Facts, m contract.Manifest, sum string) (opener.Symbols, error) {
	plugins.Lock()
	defer plugins.Unlock()
	defer func() {
		if plugins.bySum[sum].staged != file {
			file.release()
		}
	}()
	if r, ok := plugins.bySum[sum]; ok {
		if r.err != nil {
			again := *r.err
			again.Found = "a file that failed before and is not opened again: " + r.err.Found
			return nil, &again
		}
		return r.symbols, nil
	}
	// Since stage fit another loader can have opened such a file. Whatever
	// happens from here on, what this one wants for itself is taken: the runtime
	// keeps what it has begun to load, and would bind another file with packages
	// of the same paths to the variables of this one.
	if err := refusal(StageOpen, inspect.Taken(facts, place(sum).Loaded)); err != nil {
		return nil, err
	}
	noteOpening(path, sum, facts, m)
	s, err := openContained(file.path)
	if err != nil && neverLoaded(file.path) {
		noteRefusal(sum)
		return nil, err
	}
	if err != nil {
		if err.ended() {
			err.Remedy += "; the file is not opened again before the program restarts"
		}
		kept := *err
		plugins.bySum[sum] = openResult{err: &kept}
		return nil, err
	}
	plugins.bySum[sum] = openResult{symbols: s, staged: file}
	return s, nil
}

// neverLoaded tells, of a file that could not be opened, that the dynamic linker
// refused it, for a library that is missing say. Then nothing of it ran, nothing
// of it is in the process, and the plugin package does not know it: it can be
// opened later. A file that is mapped, or may be, can have run.
func neverLoaded(file string) bool {
	maps, err := os.ReadFile("/proc/self/maps")
	return err == nil && !bytes.Contains(maps, []byte(filepath.Base(file)))
}

// openContained calls plugin.Open, in a program or in its probe's child.
func openContained(file string) (s opener.Symbols, failure *LoadError) {
	var err error
	if ended := contain(func() { s, err = opener.Open(file) }); ended != nil {
		return nil, &LoadError{Stage: StageOpen, Wanted: "init functions that return", Found: "a " + ended.Error(),
			Remedy: reportIt, Err: ended}
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
	remedy := "build the driver for this program: drivercheck build"
	switch {
	case strings.Contains(found, "failed to map segment"):
		remedy = "set loader.Config.CacheDir to a directory on a file system that is not mounted noexec"
	case strings.Contains(found, "cannot open shared object file"):
		remedy = "install this library, and load the file again"
	}
	return &LoadError{Stage: StageOpen, Wanted: "a plugin that the runtime accepts", Found: found, Remedy: remedy, Err: err}
}
