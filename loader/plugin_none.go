//go:build !cgo || !(linux || freebsd)

package loader

// Supported tells whether this program can load driver files: it was built
// with cgo, for Linux or FreeBSD.
const Supported = false

const openRemedy = "build the program with CGO_ENABLED=1 for Linux or FreeBSD"

func openPlugin(string) (symbols, error) { return nil, errUnsupported }
