package loader

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/internal/opener"
)

// plugins are what this process has opened or tried to, whichever loader
// asked: the runtime has one list of them, keeps a failed one for ever, and
// blocks whoever opens it again. What the dynamic linker refused is in neither.
var plugins = struct {
	// turn holds a value while a file is opened, for ever if its init functions
	// do not return.
	turn chan struct{}

	mu    sync.Mutex            // protects following fields
	bySum map[string]openResult // by hash, as loaders can have caches of their own
}{turn: make(chan struct{}, 1), bySum: map[string]openResult{}}

type openResult struct {
	symbols opener.Symbols
	staged  *staged    // in use for ever, unless it failed
	err     *LoadError // never handed out, since callers fill in their names
}

// answer is what whoever asks for an opened file gets.
func (r openResult) answer() (opener.Symbols, error) {
	if r.err != nil {
		again := *r.err
		again.Found = "a file that failed before and is not opened again: " + r.err.Found
		return nil, &again
	}
	return r.symbols, nil
}

func resultOf(sum string) (openResult, bool) {
	plugins.mu.Lock()
	defer plugins.mu.Unlock()
	r, ok := plugins.bySum[sum]
	return r, ok
}

func keepResult(sum string, r openResult) {
	plugins.mu.Lock()
	defer plugins.mu.Unlock()
	plugins.bySum[sum] = r
}

// opened tells whether a file was opened in this process, or failed to be.
func opened(sum string) bool {
	_, ok := resultOf(sum)
	return ok
}

// open loads a staged file into the process. Its init functions run here, of
// one file at a time, and whoever waits for another loader's can give up. What
// is not in use afterwards is released.
func open(ctx context.Context, file *staged, c *candidate, cfg Config) (opener.Symbols, error) {
	sum := c.sum()
	inUse := false
	defer func() {
		if !inUse {
			file.release()
		}
	}()
	if r, ok := resultOf(sum); ok {
		return r.answer()
	}
	select {
	case plugins.turn <- struct{}{}:
		defer func() { <-plugins.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r, ok := resultOf(sum); ok {
		return r.answer()
	}
	// Since stage fit another loader can have opened such a file. Whatever
	// happens from here on, what this one wants for itself is taken: the runtime
	// keeps what it has begun to load, and would bind another file with packages
	// of the same paths to the variables of this one.
	if err := refusal(StageOpen, inspect.Taken(c.facts, place(sum).Loaded)); err != nil {
		return nil, err
	}
	if err := room(cfg, int64(len(c.bytes))); err != nil {
		return nil, err
	}
	noteOpening(c)
	s, failure := openContained(file.path)
	if failure == nil {
		inUse = true
		keepResult(sum, openResult{symbols: s, staged: file})
		return s, nil
	}
	if neverLoaded(file.path) {
		noteRefusal(sum)
		return nil, failure
	}
	if failure.ended() {
		failure.Remedy += "; the file is not opened again before the program restarts"
	}
	kept := *failure
	keepResult(sum, openResult{err: &kept})
	return nil, failure
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
