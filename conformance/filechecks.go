package conformance

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader"
)

// fileFamily is the family of the checks that come before all others, one
// after the other: where one of them does not pass, nothing else can run.
const fileFamily = "file/"

// loadsID is the check whose work is done before it runs.
const loadsID = "file/loads"

// FileChecks returns the checks of any driver file, whatever its contract. D
// needs a method Name() string.
func FileChecks[D any](c *contract.Contract[D]) []Check[D] {
	return []Check[D]{
		{ID: "file/readable", Level: Must, unloaded: true,
			Rule:   "What a driver file is and promises can be read without running it: it is a Go plugin, and its DriverManifest is a valid manifest.",
			Source: "github.com/keyway-go/keyway/contract, Manifest",
			Run:    refusedAt(c, loader.StageAdmit, loader.StageInspect)},
		{ID: "file/fits", Level: Must, unloaded: true,
			Rule:   "The file was built with the toolchain, the flags and the versions of shared packages that its host has.",
			Source: "cmd/link, package fingerprints; plugin.Open",
			Run:    refusedAt(c, loader.StageFit)},
		{ID: "file/agrees", Level: Must, unloaded: true,
			Rule:   "The manifest names the host's contract, accepts the version that the host has, and agrees with the file's name.",
			Source: "github.com/keyway-go/keyway/contract, ContractRef",
			Run:    refusedAt(c, loader.StageAgree)},
		{ID: loadsID, Level: Must,
			Rule:   "The file loads: init functions return, NewDriver and DriverManifest have their exact types, NewDriver makes a driver, and its Name is the manifest's.",
			Source: "github.com/keyway-go/keyway/contract, package comment",
			Run:    func(*T, *Subject[D]) {}}, // the worker has loaded it, or said why not
		{ID: "driver/never-nil", Level: Must,
			Rule:   "NewDriver never returns nil, however often it is called.",
			Source: "github.com/keyway-go/keyway/contract, package comment",
			Run:    neverNil[D]},
		{ID: "driver/independent", Level: Must,
			Rule:   "Two calls of NewDriver give two independent drivers, not one that both share.",
			Source: "github.com/keyway-go/keyway/contract, package comment",
			Run:    independent[D]},
		{ID: "driver/new-parallel", Level: Must,
			Rule:   "NewDriver may be called by many goroutines at once.",
			Source: "github.com/keyway-go/keyway/contract, package comment",
			Run:    newParallel[D]},
		{ID: "driver/new-starts-nothing", Level: Must,
			Rule:   "NewDriver starts nothing: it leaves no file descriptor open and no goroutine running.",
			Source: "github.com/keyway-go/keyway/contract, package comment",
			Run:    newStartsNothing[D]},
		{ID: "driver/name", Level: Must,
			Rule:   "Name returns the manifest's name, for every driver and always.",
			Source: "github.com/keyway-go/keyway/contract, Driver.Name",
			Run:    nameIsManifests[D]},
	}
}

// refusedAt returns a check that fails when the loader refuses the file at one
// of the stages. An earlier stage has a check of its own, which came before.
func refusedAt[D any](c *contract.Contract[D], stages ...loader.Stage) func(*T, *Subject[D]) {
	return func(t *T, s *Subject[D]) {
		l, err := loader.For(c, loader.Config{FollowLinks: true})
		t.Setup(err, "make a loader")
		_, err = l.Examine(t.Context(), s.File)
		var le *loader.LoadError
		if err == nil || errors.As(err, &le) && !slices.Contains(stages, le.Stage) {
			return
		}
		o := loadOutcome(err, 0)
		for _, line := range o.Logs {
			t.Logf("%s", line)
		}
		for _, line := range o.Messages {
			t.Errorf("%s", line)
		}
	}
}

// calls is how often a check calls NewDriver to see a fault that comes late.
const calls = 32

func neverNil[D any](t *T, s *Subject[D]) {
	for i := range calls {
		var d D
		t.Prompt("NewDriver", func() { d = s.New() })
		if v := reflect.ValueOf(&d).Elem(); v.IsNil() || v.Kind() == reflect.Interface && isNilValue(v.Elem()) {
			t.Fatalf("call %d of NewDriver returned nil (%T)", i+1, d)
		}
	}
}

// isNilValue also finds the nil pointer inside of an interface.
func isNilValue(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice:
		return v.IsNil()
	}
	return false
}

func independent[D any](t *T, s *Subject[D]) {
	var a, b reflect.Value
	t.Prompt("NewDriver", func() { a, b = reflect.ValueOf(s.New()), reflect.ValueOf(s.New()) })
	if a.Kind() != reflect.Pointer || a.Type().Elem().Size() == 0 {
		return // a value is a copy, and what has no size has no state
	}
	if b.Kind() == reflect.Pointer && a.Pointer() == b.Pointer() {
		t.Errorf("two calls of NewDriver returned the same %s", a.Type())
	}
}

func newParallel[D any](t *T, s *Subject[D]) {
	var panics atomic.Int64
	var first atomic.Value
	t.Prompt("calling NewDriver in many goroutines", func() {
		var wg sync.WaitGroup
		for range 4 * runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				defer func() {
					if v := recover(); v != nil {
						panics.Add(1)
						first.CompareAndSwap(nil, fmt.Sprint(v))
					}
				}()
				for range calls {
					s.New()
				}
			})
		}
		wg.Wait()
	})
	if n := panics.Load(); n > 0 {
		t.Errorf("%d goroutines panicked in NewDriver; the first said: %v", n, first.Load())
	}
}

func newStartsNothing[D any](t *T, s *Subject[D]) {
	goroutines, files := runtime.NumGoroutine(), openFiles()
	drivers := make([]D, calls)
	t.Prompt("calling NewDriver again and again", func() {
		for i := range drivers {
			drivers[i] = s.New()
		}
	})
	// Goroutines that were ending when the check began may have gone since,
	// but none may have come to stay.
	t.Eventually("the end of goroutines that NewDriver started", func() bool { return runtime.NumGoroutine() <= goroutines })
	if now := openFiles(); now > files {
		t.Errorf("%d calls of NewDriver left %d more file descriptors open", calls, now-files)
	}
	runtime.KeepAlive(drivers)
}

// openFiles counts the file descriptors of the process, or returns 0 where
// that cannot be seen.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

func nameIsManifests[D any](t *T, s *Subject[D]) {
	for i := range calls {
		var d D
		t.Prompt("NewDriver", func() { d = s.New() })
		named, ok := any(d).(interface{ Name() string })
		if !ok {
			t.Fatalf("the driver has no method Name() string: %T", d)
		}
		var name string
		t.Prompt("Name", func() { name = named.Name() })
		if name != s.Manifest.Name {
			t.Fatalf("driver %d: Name() returned %q, the manifest says %q", i+1, name, s.Manifest.Name)
		}
	}
}
