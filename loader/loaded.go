package loader

import (
	"slices"
	"sync"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/inspect"
)

// openings are the files that this process has opened or tried to, whichever
// loader asked, in their order. Nothing is taken off but what never came into
// the process.
var openings struct {
	sync.Mutex
	files []inspect.Loaded
}

// noteOpening notes a file from a path that is about to be opened.
func noteOpening(path, sum string, facts *inspect.Facts, m contract.Manifest) {
	openings.Lock()
	defer openings.Unlock()
	openings.files = append(openings.files, inspect.Loaded{File: path, SHA256: sum, Name: m.Name, Version: m.Version, Facts: facts})
}

// noteRefusal takes off a file that was noted and turned out not to be loaded.
func noteRefusal(sum string) {
	openings.Lock()
	defer openings.Unlock()
	openings.files = slices.DeleteFunc(slices.Clone(openings.files), func(f inspect.Loaded) bool { return f.SHA256 == sum })
}

// place is what a file of a hash meets in this process, or met when it was
// opened: it goes on fitting, whatever came later.
func place(sum string) inspect.Place {
	openings.Lock()
	defer openings.Unlock()
	files := openings.files
	if i := slices.IndexFunc(files, func(f inspect.Loaded) bool { return f.SHA256 == sum }); i >= 0 {
		files = files[:i]
	}
	return inspect.Place{Machine: inspect.ThisMachine(), Loaded: slices.Clone(files)}
}
