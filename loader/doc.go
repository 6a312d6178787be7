// Package loader finds driver files, says whether they fit, loads them and
// hands over their drivers.
//
//	drivers, err := loader.New(loader.Config{Dirs: []string{"/usr/lib/myapp/drivers"}})
//	...
//	db, err := drivers.OpenDB(ctx, "sqlite", "file:app.db")
//
// A driver file goes through the stages find, admit, inspect, fit, agree,
// stage, probe, open, bind and register; each is a file of this package, and
// [Loader.LoadFile] is the whole way. Nothing of the file runs before open, or
// before probe, which tries the file in a child process if Config.Probe asks. A
// stage that refuses the file leaves the program as it was, and says in a
// [LoadError] what it wanted, what it found and what to do.
//
// [New] makes a loader for the sql contract; [For] makes one for any contract.
package loader
