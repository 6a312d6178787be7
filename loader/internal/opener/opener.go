// Package opener is the line between package loader, which must not import
// "plugin", and package loader/files, which does: a program that imports
// "plugin" is linked dynamically and keeps every exported method, so only those
// that load files should.
package opener

import "errors"

// Symbols are the exported names of a plugin that was opened.
type Symbols interface {
	// Lookup returns a function, or a pointer to a variable.
	Lookup(name string) (any, error)
}

// Opener opens driver files.
type Opener struct {
	// Open loads a file into the process. nil where there are no plugins.
	Open func(file string) (Symbols, error)
}

var opener *Opener

// Set is called by the init function of loader/files.
func Set(o Opener) { opener = &o }

// Linked tells whether loader/files is part of the program.
func Linked() bool { return opener != nil }

// Supported tells whether the program can open files.
func Supported() bool { return opener != nil && opener.Open != nil }

// Open loads a file into the process.
func Open(file string) (Symbols, error) {
	if !Supported() {
		return nil, errors.ErrUnsupported
	}
	return opener.Open(file)
}
