package loader

import (
	"slices"
	"sync"

	"github.com/keyway-go/keyway/loader/inspect"
)

// openings are the files that this process has opened or tried to, whichever
// loader asked, in their order. Nothing is taken off but what never came into
// the process.
var openings struct {
	sync.Mutex
	files []inspect.Loaded
	sizes map[string]int64 // by hash, in bytes
}

// noteOpening notes a file that is about to be opened.
func noteOpening(c *candidate) {
	openings.Lock()
	defer openings.Unlock()
	openings.files = append(openings.files, inspect.Loaded{File: c.path, SHA256: c.sum(), Name: c.manifest.Name, Version: c.manifest.Version, Facts: c.facts})
	if openings.sizes == nil {
		openings.sizes = map[string]int64{}
	}
	openings.sizes[c.sum()] = int64(len(c.bytes))
}

// noteRefusal takes off a file that was noted and turned out not to be loaded.
func noteRefusal(sum string) {
	openings.Lock()
	defer openings.Unlock()
	openings.files = slices.DeleteFunc(slices.Clone(openings.files), func(f inspect.Loaded) bool { return f.SHA256 == sum })
	delete(openings.sizes, sum)
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
