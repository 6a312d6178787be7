// Package probe lets a program try driver files in a child process before it
// loads them. It is imported for its effect, and loader.Config.Probe asks for it:
//
//	import _ "github.com/keyway-go/keyway/loader/probe"
//
//	drivers, err := loader.New(loader.Config{Probe: true, ...})
//
// The child is the program's own executable, started again. Such a process
// loads the one driver file, makes a driver, asks its name and exits, all while
// this package is initialized: it never reaches the program's main function.
//
// # What runs in the child before
//
// Go initializes packages one after the other: of those whose imports are all
// initialized, the one whose import path sorts first. So when this package's
// turn comes, its imports have been initialized, loader among them, and every
// package that sorts before github.com/keyway-go/keyway/loader/probe and imports
// nothing behind it. The init functions and package variables of these run in
// the child as well, and what they do there, they do again: a listener in an
// init function would find its address in use. What they print to standard output
// is thrown away; but what a goroutine prints that they have started is taken
// for the driver's. A package of your own that must not run in the child, or that
// would be in the way, imports this one: then it is initialized after it.
//
// Packages of the standard library that the program imports and that are not
// initialized yet are initialized for the driver file that needs them, as always
// when a file is loaded.
//
// The child has the program's environment and working directory, an empty
// standard input, none of its arguments, and a process group of its own, which
// is killed when the child is gone or its time is over. A child whose parent is
// gone kills itself and its group, from this package's turn on.
//
// # What it cannot do
//
// C code that calls Go on a thread of its own waits until a program's main
// function begins. A driver that needs such a call in an init function or in
// NewDriver runs into the time limit. A process that the driver starts in a
// session of its own is not killed. Programs that gain rights by being started
// (setuid, setgid, file capabilities) cannot be probed with: their child refuses
// to be one.
package probe

import (
	// They do the child's work, and must be there first.
	_ "github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"

	"github.com/keyway-go/keyway/loader/internal/trial"
)

func init() { trial.Main() }
