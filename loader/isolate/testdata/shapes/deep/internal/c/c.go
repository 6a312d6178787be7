// Package c has C code with a header elsewhere, a library of the system, a
// static one of its own, and a function of Go that C calls.
package c

/*
#cgo CFLAGS: -I${SRCDIR}/include
#cgo LDFLAGS: -L${SRCDIR} -lstatic -lm
#include <deep.h>
*/
import "C"

import "fmt"

//export deepTimes
func deepTimes(n C.int) C.int { return n * VERSION }

func Answer() string {
	return fmt.Sprint(C.deep_version(), float64(C.deep_root(VERSION)), C.deep_back(1000), C.deep_static())
}
