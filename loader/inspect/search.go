package inspect

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
)

// object is a file in the chain of those that had one another loaded, from the
// host program on.
type object struct {
	name    string // "" for a program and for a driver
	runPath []string
	rpath   []string
	alone   bool    // has DT_RUNPATH, and so does without any DT_RPATH
	loader  *object // nil for the host program
}

// newObject takes the directories that a file names as they are in Facts.
func newObject(name string, dirs []string, rpath bool, loader *object) *object {
	o := &object{name: name, loader: loader}
	if rpath {
		o.rpath = dirs
	} else {
		o.runPath, o.alone = dirs, len(dirs) > 0
	}
	return o
}

// before returns the directories that are searched for what the object needs
// before LD_LIBRARY_PATH: those of DT_RPATH, of the object and of all that had
// it loaded.
func (o *object) before() []string {
	var dirs []string
	if !o.alone {
		for ; o != nil; o = o.loader {
			dirs = append(dirs, o.rpath...)
		}
	}
	return dirs
}

// answer is what is known of a name.
type answer int

const (
	unknown answer = iota
	found
	missing
)

// maxLookups bounds how many paths are tried for one driver. A file can ask for
// a thousand libraries in a thousand directories, and so can each of those.
const maxLookups = 20000

// search looks for the libraries of one process.
type search struct {
	*Machine
	cached map[string][]string // the machine's list: paths by name
	maps   []byte              // /proc/self/maps, once it was needed
	left   int                 // paths that may still be tried
}

func (m *Machine) search() *search {
	return &search{Machine: m, cached: m.readList(), left: maxLookups}
}

// find looks for a library by the name that an object needs it by. The library
// is nil if it is there but cannot be read.
func (s *search) find(name string, by *object) (*library, answer) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) || strings.Contains(name, "$") {
			return nil, unknown // from the directory in which the host will be started
		}
		return s.try(name)
	}
	sure := s.sure && s.cached != nil
	for path, known := range s.paths(name, by) {
		if !known {
			sure = false
			continue
		}
		if lib, a := s.try(path); a != missing {
			return lib, a
		}
	}
	if !sure || s.mapped(name) {
		return nil, unknown // perhaps loaded by a path of its own
	}
	return nil, missing
}

// paths calls yield with where the dynamic linker looks for a name, in order,
// and with false for a directory that is not known.
func (s *search) paths(name string, by *object) func(yield func(path string, known bool) bool) {
	in := func(dirs []string, yield func(string, bool) bool) bool {
		for _, dir := range dirs {
			if strings.Contains(dir, "$") || !filepath.IsAbs(dir) {
				if !yield(dir, false) {
					return false
				}
				continue
			}
			for _, sub := range hwcaps {
				if !yield(filepath.Join(dir, sub, name), true) {
					return false
				}
			}
		}
		return true
	}
	return func(yield func(string, bool) bool) {
		for _, dirs := range [][]string{by.before(), s.dirs, by.runPath} {
			if !in(dirs, yield) {
				return
			}
		}
		for _, path := range s.cached[name] {
			if !yield(path, true) {
				return
			}
		}
		in(defaultDirs, yield)
	}
}

// try reads the library of a path, unless too many were tried.
func (s *search) try(path string) (*library, answer) {
	if s.left--; s.left < 0 {
		return nil, unknown
	}
	return s.at(path)
}

// mapped reports whether this process may have loaded a library of that name.
func (s *search) mapped(name string) bool {
	if s.maps == nil {
		maps, err := readBounded("/proc/self/maps", maxCache)
		if err != nil {
			return true
		}
		s.maps = slices.Concat(maps, []byte{'\n'})
	}
	return bytes.Contains(s.maps, []byte("/"+name))
}
