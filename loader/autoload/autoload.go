// Package autoload lets sql.Open find driver files, in an application that knows
// nothing of Keyway. It is imported for that effect, in the place of a driver:
//
//	import _ "github.com/keyway-go/keyway/loader/autoload" // was: _ "github.com/mattn/go-sqlite3"
//
//	db, err := sql.Open("sqlite3", "file:app.db")
//
// The environment variable KEYWAY_DRIVERS lists absolute directories, separated
// as in PATH. When the program starts, each driver that is found in them is
// registered with database/sql: under its name, and under the aliases in its
// manifest. Nothing of it runs then; to read what it says takes some milliseconds.
// It is loaded by the first sql.Open, which returns the error if it cannot be,
// usually a *loader.LoadError; a query is too late for that. Since sql.Open has no
// context, loading cannot be given up.
//
// A file that is no driver for this program is registered all the same, under
// the name of the file, so that sql.Open says what is wrong with it. So it is in
// programs that cannot load any file: on Windows, say, or without cgo. A file for
// another contract than that of database/sql is left out.
//
// Every *sql.DB goes with the current version of its driver, as those of
// loader.SQL.OpenDB do; an idle connection of an old version serves once more. To
// take up new versions, the program calls Refresh or Watch of [Loader]. Drivers whose files come later are registered at the next start.
//
// # Names
//
// A name that a package of the program has registered already stays that
// package's. A package that is initialized after this one would panic instead;
// so this one also leaves alone the names of which a driver file says that the
// upstream package in it registers them, if that package is part of the program.
// (Programs without cgo only know which modules they have.) Only files that
// drivercheck build has made say so. In others the upstream
// package registers its name when the file is loaded; if that is the driver's, it
// is taken by then, and the file cannot be loaded.
//
// Of several versions of a driver the loader chooses the best one. Where drivers
// claim one name, a driver's own name goes before an alias, and then the one
// found first has it.
//
// # Messages
//
// They go to slog.Default, as it is at the time of the message, and so does what
// drivers log that take a logger. What goes wrong is a warning; all else has level
// debug, so that a program whose import was changed does not begin to talk.
// Nothing is printed to standard output.
//
// # Rights
//
// Who sets KEYWAY_DRIVERS decides what code the program runs. It is ignored in a
// process that gains rights by being started (setuid, setgid, file capabilities),
// and elements that are not absolute are, too. Driver files may be symbolic
// links, and may belong to anybody.
//
// The private copies of driver files are in keyway/staged below
// os.UserCacheDir; a service without a home directory sets XDG_CACHE_HOME.
package autoload

import (
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/keyway-go/keyway/internal/rights"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
)

// Variable is the environment variable that lists the directories.
const Variable = "KEYWAY_DRIVERS"

var (
	log     = slog.New(handler{})
	drivers *loader.SQL
)

// Loader returns what loads the drivers: to take up new versions
// (loader.SQL.Watch), to list them, or to end their use. It is the same for the
// whole life of the program. With an empty KEYWAY_DRIVERS it has no directories.
func Loader() *loader.SQL { return drivers }

func init() {
	dirs := directories(os.Getenv(Variable))
	var err error
	if drivers, err = loader.New(loader.Config{Dirs: dirs, FollowLinks: true, Logger: log}); err != nil {
		log.Warn("autoload: no driver is registered", "reason", err)
		return
	}
	for _, c := range claims(discover(dirs)) {
		register(c)
	}
}

// directories takes the variable's value apart, and leaves out what must not or
// cannot be used.
func directories(list string) []string {
	if list == "" {
		return nil
	}
	ignore := func(what, why string) { log.Warn("autoload: "+Variable+" is ignored"+what, "reason", why) }
	if err := rights.Gained(); err != nil {
		ignore("", "this process is "+err.Error())
		return nil
	}
	var dirs []string
	for _, dir := range filepath.SplitList(list) {
		switch {
		case dir == "":
			continue
		case !filepath.IsAbs(dir):
			ignore(" in part", fmt.Sprintf("%q is not absolute", dir))
			continue
		}
		// One that cannot be read would keep the loader from all others.
		if _, err := loader.Find(dir); err != nil {
			ignore(" in part", err.Error())
			continue
		}
		if dir = filepath.Clean(dir); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// register makes a name known to sql.Open, unless it is.
func register(c claim) {
	if slices.Contains(sql.Drivers(), c.name) || c.by.registeredInProgram(c.name) {
		log.Debug("autoload: name is left to the program", "name", c.name, "driver", c.by.name)
		return
	}
	defer func() {
		if p := recover(); p != nil { // a goroutine of the program was quicker
			log.Warn("autoload: driver not registered", "name", c.name, "driver", c.by.name, "reason", p)
		}
	}()
	sql.Register(c.name, &onDemand{name: c.by.name})
	log.Debug("autoload: driver registered", "name", c.name, "driver", c.by.name)
}
