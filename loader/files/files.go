// Package files lets a program load driver files. It is imported for that effect:
//
//	import _ "github.com/keyway-go/keyway/loader/files"
//
// Package loader works without it for drivers that are part of the program, and
// such a program does not import package plugin, which would make it larger, need
// cgo and a dynamic linker. Packages loader/probe and loader/autoload import it.
//
// Driver files can be loaded by programs that were built with cgo for Linux or
// FreeBSD. In others the import does no harm, and loading is an error that says
// so.
package files

import "github.com/keyway-go/keyway/loader/internal/opener"

func init() { opener.Set(opener.Opener{Open: open}) }
