package loader

import (
	"context"
	"slices"
)

// State is how far a version of a driver has come.
type State string

// The states.
const (
	Discovered State = "discovered" // could be loaded, as far as is known; nothing of it ran
	Loaded     State = "loaded"     // and neither current nor in use by a *sql.DB
	Current    State = "current"    // what Load and OpenDB give
	Retiring   State = "retiring"   // not current any more, but connections are open
	Failed     State = "failed"     // cannot be loaded, or not be used; Err says why
)

// Status is what a loader knows of a version of a driver.
type Status struct {
	// Name and Version are the manifest's, or else what the file name says;
	// Version may be "".
	Name, Version string
	// State is how far it has come.
	State State
	// Linked tells that it is part of the program. Then File and SHA256 are "".
	Linked bool
	// File is where it was found, SHA256 the hash of what was read there, in hex,
	// and Size its size in bytes. The hash is "" for a file that was not read.
	File   string
	SHA256 string
	Size   int64
	// Pinned tells that [Loader.Pin] keeps the name at this version, RolledBack
	// that [Loader.Rollback] left it.
	Pinned, RolledBack bool
	// Connections are those that *sql.DB values of this loader have open.
	Connections int
	// Err is why the state is Failed, usually a *LoadError, or nil.
	Err error
}

func (d *Driver[D]) status() Status {
	return Status{Name: d.Manifest.Name, Version: d.Manifest.Version, Linked: d.Linked, File: d.File, SHA256: d.SHA256,
		Size: d.size, Connections: int(d.use.connections.Load())}
}

// Drivers lists what the loader knows: what it has loaded, what is part of the
// program, and what the directories held when it looked last, which is at
// [Loader.Refresh], or now if there was none. The order is by name, and then by
// version, the highest first.
func (l *Loader[D]) Drivers() []Status {
	all := l.drivers.statuses()
	files, err := l.shelved(context.Background())
	if err != nil {
		_ = l.failed(context.Background(), "", "", err) // for the log
	}
	for _, in := range l.linkedIn() {
		s := Status{Name: in.manifest.Name, Version: in.manifest.Version, State: Discovered, Linked: true}
		if !slices.ContainsFunc(all, func(known Status) bool { return known.Linked && known.Name == s.Name && known.Version == s.Version }) {
			all = append(all, s)
		}
	}
	loaded := slices.Clone(all)
	for _, f := range files {
		if s := f.status(); !slices.ContainsFunc(loaded, func(known Status) bool { return known.SHA256 != "" && known.SHA256 == s.SHA256 }) {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, byNameAndVersion)
	return all
}

func (s *shelved) status() Status {
	st := Status{Name: s.Name, Version: s.Version, State: Discovered, File: s.Path, SHA256: s.sum, Err: s.err}
	if s.manifest.Name != "" {
		st.Name, st.Version = s.manifest.Name, s.manifest.Version
	}
	if s.info != nil {
		st.Size = s.info.Size()
	}
	if s.err != nil {
		st.State = Failed
	}
	return st
}
