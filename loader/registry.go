package loader

import (
	"maps"
	"sync"
	"sync/atomic"
)

// registry knows the drivers that are loaded. Readers take the current map
// without a lock; writers, one at a time, replace it.
type registry[D any] struct {
	byName atomic.Pointer[map[string]*Driver[D]]

	mu     sync.Mutex // protects following fields, and writing to byName
	hashes map[string]*Driver[D]
}

func (r *registry[D]) current(name string) (*Driver[D], bool) {
	m := r.byName.Load()
	if m == nil {
		return nil, false
	}
	d, ok := (*m)[name]
	return d, ok
}

func (r *registry[D]) bySum(sum string) (*Driver[D], bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.hashes[sum]
	return d, ok
}

// register adds a driver, which becomes current if no other of its name has a
// higher version.
func (r *registry[D]) register(d *Driver[D]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hashes == nil {
		r.hashes = map[string]*Driver[D]{}
	}
	r.hashes[d.SHA256] = d
	if old, ok := r.current(d.Manifest.Name); ok && compareVersions(d.Manifest.Version, old.Manifest.Version) < 0 {
		return
	}
	next := map[string]*Driver[D]{}
	if m := r.byName.Load(); m != nil {
		maps.Copy(next, *m)
	}
	next[d.Manifest.Name] = d
	r.byName.Store(&next)
}
