package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keyway-go/keyway/internal/fsinfo"
	"github.com/keyway-go/keyway/loader"
)

const megabyte = 1 << 20

// What should be free: several times what drivers/sqlite takes, the largest,
// with 115 MB, 149 MB and 20 MB.
const (
	buildRoom = 1024 * megabyte
	tempRoom  = 512 * megabyte
	cacheRoom = 100 * megabyte
)

// buildCache looks at the directory in which the go command keeps what it has
// compiled.
func buildCache(_ context.Context, p *patient) Finding {
	if p.goErr != "" {
		return notAsked()
	}
	dir := p.goEnv["GOCACHE"]
	if !filepath.IsAbs(dir) {
		return Finding{Status: Bad, Found: fmt.Sprintf("GOCACHE=%q, which is no directory", dir), Breaks: "every build", Remedy: unset("GOCACHE") + ", and set HOME"}
	}
	there := existing(dir)
	if err := canWrite(there); err != nil {
		return Finding{Status: Bad, Found: "a GOCACHE that cannot be written: " + err.Error(), Breaks: "every build",
			Remedy: "export GOCACHE=DIR, a directory that this user can write to"}
	}
	return room(there, dir, buildRoom, "builds of large drivers", "go clean -cache, or export GOCACHE=DIR on a file system with more room")
}

// existing returns the path, or the directory closest above it that is there.
func existing(path string) string {
	for {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// room judges how much is free in a directory.
func room(dir, shown string, wanted int64, breaks, remedy string) Finding {
	fsys, err := fsinfo.Of(dir)
	if err != nil {
		return Finding{Found: shown + " can be written"}
	}
	found := fmt.Sprintf("%s can be written, %d MB free", shown, fsys.Free/1e6)
	if fsys.Free < wanted {
		return Finding{Status: Warn, Found: found, Breaks: breaks, Remedy: remedy}
	}
	return Finding{Found: found}
}

func temporary(_ context.Context, p *patient) Finding {
	dir := os.TempDir()
	if err := canWrite(dir); err != nil {
		return Finding{Status: Bad, Found: "no files can be made for the moment: " + err.Error(), Breaks: "drivercheck build and test, and every build",
			Remedy: "export TMPDIR=DIR, a directory that this user can write to"}
	}
	// The go command runs what go run and go test make in a directory of its own.
	runs := dir
	if own := p.goEnv["GOTMPDIR"]; own != "" {
		runs = own
	}
	if fsys, err := fsinfo.Of(runs); err == nil && fsys.NoExec {
		return Finding{Status: Warn, Found: runs + " is mounted noexec", Breaks: "go run and go test; drivercheck does not mind",
			Remedy: "export GOTMPDIR=DIR, a directory on another file system"}
	}
	return room(dir, dir, tempRoom, "builds of large drivers", "export TMPDIR=DIR on a file system with more room")
}

// driverCache asks the loader itself.
func driverCache(_ context.Context, p *patient) Finding {
	dir, err := loader.CheckCache(loader.Config{CacheDir: p.CacheDir})
	if err != nil {
		f := Finding{Status: Bad, Found: err.Error(), Breaks: "every program that loads drivers with this cache directory, and drivercheck test"}
		if le, ok := errors.AsType[*loader.LoadError](err); ok {
			f.Found, f.Remedy = "wanted "+le.Wanted+", found "+le.Found, le.Remedy
		}
		return f
	}
	return room(dir, dir, cacheRoom, "loading drivers that were not loaded before", "make room there, or set loader.Config.CacheDir to a directory on another file system")
}
