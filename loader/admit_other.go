//go:build !unix

package loader

import "os"

// openForReading: where there is no O_NOFOLLOW there are no plugins either,
// so that nothing that is admitted here is ever opened as code.
func openForReading(path string, followLinks bool) (*os.File, error) { return os.Open(path) }
