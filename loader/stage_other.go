//go:build !unix

package loader

import (
	"io/fs"
	"os"
)

// Where modes and locks say nothing there are no plugins either.

func onlyOurs(fs.FileInfo) error { return nil }

func lockShared(*os.File) bool { return true }

func lockAlone(*os.File) bool { return false }
