//go:build !unix

package loader

import (
	"errors"
	"io/fs"
	"os"
)

// What the system says of paths and disks where it says it with errors that
// are not known everywhere: these are none that it says.
var (
	errLoop     = errors.New("a loop of symbolic links")
	errNotDir   = errors.New("not a directory")
	errNoSpace  = errors.New("no space left")
	errQuota    = errors.New("quota exceeded")
	errReadOnly = errors.New("a read-only file system")
)

// openForReading: where there is no O_NOFOLLOW there are no plugins either,
// so that nothing that is admitted here is ever opened as code.
func openForReading(path string, followLinks bool) (*os.File, error) { return os.Open(path) }

// ownerOf: owners that are no numbers are not asked for, and not trusted.
func ownerOf(fs.FileInfo) (uid int, ok bool) { return -1, false }
