package loader

import (
	"sync"

	"github.com/keyway-go/keyway/loader/inspect"
)

// openings are the files that this process has opened or tried to, whichever
// loader asked, in their order. Nothing is ever taken off: what was opened
// stays.
var openings struct {
	sync.Mutex
	files []inspect.Loaded
}

// willOpen notes a file that is about to be opened.
func willOpen(c *candidate) {
	openings.Lock()
	defer openings.Unlock()
	for _, f := range openings.files {
		if f.SHA256 == c.sum() {
			return
		}
	}
	openings.files = append(openings.files, inspect.Loaded{File: c.path, SHA256: c.sum(),
		Name: c.manifest.Name, Version: c.manifest.Version, Facts: c.facts})
}

// place is what a file of a hash meets in this process. The same content again
// is no other file.
func place(sum string) inspect.Place {
	at := inspect.Place{Machine: inspect.ThisMachine()}
	openings.Lock()
	defer openings.Unlock()
	for _, f := range openings.files {
		if f.SHA256 != sum {
			at.Loaded = append(at.Loaded, f)
		}
	}
	return at
}
