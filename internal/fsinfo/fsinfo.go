// Package fsinfo tells what a file system allows, without trying it.
package fsinfo

// Info is what matters of a mounted file system.
type Info struct {
	// NoExec says that code on it is not executed, nor mapped to be executed.
	NoExec bool
	// Free is how many bytes this user can write to it.
	Free int64
}

// Of returns what is known of the file system that holds an existing path. On
// systems that cannot load plugins it is an error.
func Of(path string) (Info, error) { return stat(path) }
