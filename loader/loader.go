package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/internal/opener"
)

// Config says where drivers are and which are welcome. The zero value finds
// those that are part of the program, and loads files by path.
type Config struct {
	// Dirs are searched in order for name.so and name-v1.2.0.so. They must
	// be absolute.
	Dirs []string
	// Versions constrain the version of a driver by its name, such as
	// {"sqlite": "^1.2"}; a name that is not there may have any version.
	// The grammar is github.com/Masterminds/semver's.
	Versions map[string]string
	// CacheDir holds the private copies that are really opened. "" means
	// keyway/staged below os.UserCacheDir. It must belong to this process's
	// user, be writable for nobody else, and be on a file system that allows
	// execution. A symbolic link on the way to it is refused if others could
	// have made it or can replace it; of the directories above nothing more is
	// asked without Trust, so put it where nobody else can rename them.
	// Programs of one user should share it: they then share the memory of the
	// drivers, too.
	CacheDir string
	// CacheSize bounds the copies in CacheDir, in bytes; 0 means 1 GiB. When a
	// new copy is made, those that were not used for the longest time are
	// removed, but for those that a running program has loaded. So the
	// directory may be larger while they are in use.
	CacheSize int64
	// MaxSize bounds a driver file, in bytes; 0 means 1 GiB.
	MaxSize int64
	// FollowLinks accepts a symbolic link as a driver file. Links in the
	// directories above it are always followed.
	FollowLinks bool
	// Trust, if not nil, refuses driver files that others can change. nil
	// loads files of any owner and mode.
	Trust *Trust
	// Probe loads each file in a child process first, so that a crash, an exit
	// or an endless loop of its init functions or of NewDriver is an error.
	// Such a file is remembered in CacheDir, by its content and that of the
	// program's executable, and this program does not try it again before
	// [Loader.Forget]. Other programs, and other builds of this one, do, since
	// the cause may be theirs; so does one with a longer ProbeTimeout, if the
	// file was not done in time. The program must import package loader/probe, which tells how
	// the child comes to be. LoadError.Err of stage probe is a *ProbeError,
	// unless no child could be started.
	Probe bool
	// ProbeTimeout is how long the child may take; 0 means 10 seconds.
	ProbeTimeout time.Duration
	// MaxResident bounds how many driver files the process may have loaded, by
	// whichever loader, and MaxResidentSize how large they may be together, in
	// bytes. 0 means no bound. What was loaded stays in the process, so a
	// program that takes up new versions for ever grows; beyond the bound stage
	// open refuses. See [Residents].
	MaxResident     int
	MaxResidentSize int64
	// Rescan is how often [Loader.Watch] looks at the directories though nothing
	// told of a change; 0 means 30 seconds.
	Rescan time.Duration
	// Logger is told of each driver that loads or fails, and is handed to
	// drivers that implement contract.LoggerSetter; nil means nobody.
	Logger *slog.Logger
}

// Loader loads the drivers of one contract. It is safe for concurrent use.
// What it has loaded stays in the process for ever: Go cannot unload it.
type Loader[D any] struct {
	contract *contract.Contract[D]
	cfg      Config
	versions versions
	log      *slog.Logger

	// loading holds a value while a file goes through the stages: one at a
	// time, and a caller that waits can give up.
	loading chan struct{}
	drivers registry[D]
	shelf   shelf
}

// Driver is a driver that was loaded. It is immutable and safe for concurrent
// use.
type Driver[D any] struct {
	// Manifest is what the driver says of itself.
	Manifest contract.Manifest
	// Linked tells that it is part of the program; see [Register].
	Linked bool
	// File is where it was found; what runs is a private copy of it. "" if
	// Linked, as are SHA256 and Facts.
	File string
	// SHA256 is the hash of its bytes, in hex.
	SHA256 string
	// Facts were read from those bytes before they ran. Not to be changed.
	Facts *inspect.Facts
	// New is the NewDriver of the file or the program. Each call makes an
	// independent driver.
	New func() D
	// Value is the driver that the loader made when it checked the name. It is
	// the caller's to use until [Loader.Close]; a *sql.DB has another one.
	Value D

	size int64 // of the file
	use  usage
}

// usage is how a driver is used by what follows the current version.
type usage struct {
	lanes       atomic.Int64 // that are in use or not drained
	connections atomic.Int64
}

// For returns a loader for the drivers of a contract. Nothing is read yet. The
// error names every fault of cfg.
func For[D any](c *contract.Contract[D], cfg Config) (*Loader[D], error) {
	var faults []error
	if c == nil {
		faults = append(faults, errors.New("loader: no contract"))
	}
	for _, dir := range cfg.Dirs {
		if !filepath.IsAbs(dir) {
			faults = append(faults, fmt.Errorf("loader: directory %q is not absolute", dir))
		}
	}
	if cfg.CacheDir != "" && !filepath.IsAbs(cfg.CacheDir) {
		faults = append(faults, fmt.Errorf("loader: cache directory %q is not absolute", cfg.CacheDir))
	}
	if cfg.MaxSize < 0 {
		faults = append(faults, fmt.Errorf("loader: MaxSize is negative: %d", cfg.MaxSize))
	}
	if cfg.CacheSize < 0 {
		faults = append(faults, fmt.Errorf("loader: CacheSize is negative: %d", cfg.CacheSize))
	}
	if cfg.MaxResident < 0 || cfg.MaxResidentSize < 0 {
		faults = append(faults, fmt.Errorf("loader: MaxResident or MaxResidentSize is negative: %d, %d", cfg.MaxResident, cfg.MaxResidentSize))
	}
	if cfg.Rescan < 0 {
		faults = append(faults, fmt.Errorf("loader: Rescan is negative: %v", cfg.Rescan))
	}
	if t := cfg.Trust; t != nil && slices.ContainsFunc(t.Owners, func(uid int) bool { return uid < 0 }) {
		faults = append(faults, fmt.Errorf("loader: Trust.Owners has a negative number: %v", t.Owners))
	}
	if err := checkProbe(cfg); err != nil {
		faults = append(faults, err)
	}
	if len(cfg.Dirs) > 0 && !opener.Linked() {
		faults = append(faults, fmt.Errorf("loader: Dirs needs package %s, which the program does not import or has not initialized yet; "+
			"add to the package that makes the loader: import _ %[1]q", filesPackage))
	}
	v, err := parseVersions(cfg.Versions)
	if err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if cfg.MaxSize == 0 {
		cfg.MaxSize = 1 << 30
	}
	if cfg.CacheSize == 0 {
		cfg.CacheSize = 1 << 30
	}
	if cfg.ProbeTimeout == 0 {
		cfg.ProbeTimeout = 10 * time.Second
	}
	if cfg.Rescan == 0 {
		cfg.Rescan = defaultRescan
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Loader[D]{contract: c, cfg: cfg, versions: v, log: log, loading: make(chan struct{}, 1)}, nil
}

// Load returns the current driver of a name. If none is loaded, it loads the
// best one that Config.Versions allows, from Config.Dirs or from the program
// itself: the one of the highest version, and among equals the program's, then
// the one of the earlier directory. One that cannot be loaded is passed over for
// the next lower version, and the log is told. If none can be loaded, the error
// is that of the highest.
//
// An error is a *LoadError, ErrClosed, or ctx.Err() if ctx ended while this call
// waited for another one to load, during a probe, or between two stages.
func (l *Loader[D]) Load(ctx context.Context, name string) (*Driver[D], error) {
	if d, ok := l.Driver(name); ok {
		return d, nil
	}
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.end()
	if d, ok := l.Driver(name); ok {
		return d, nil
	}
	choices, err := l.choices(ctx, name, "")
	if err != nil {
		return nil, l.failed(ctx, name, "", err)
	}
	var first error
	for _, c := range choices {
		d, err := l.take(ctx, name, c)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return d, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// take loads a version that was chosen.
func (l *Loader[D]) take(ctx context.Context, name string, c choice[D]) (*Driver[D], error) {
	d, err := l.through(ctx, name, c)
	if err != nil {
		err = filled(name, c.file, err)
		if l.note(c.file, err) {
			l.warn(ctx, err)
		}
		return nil, err
	}
	return d, nil
}

// LoadFile loads one driver file, wherever it lies and whatever it is called,
// except that a version in its name must be the manifest's. A file whose bytes
// are loaded already gives the driver that was made from them. Errors are those
// of [Loader.Load].
func (l *Loader[D]) LoadFile(ctx context.Context, path string) (*Driver[D], error) {
	path, err := absolute(path)
	if err != nil {
		return nil, l.failed(ctx, "", path, err)
	}
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.end()
	return l.take(ctx, "", choice[D]{file: path})
}

// Examine takes a driver file through the stages from admit to agree, and runs
// nothing of it. It returns what is known of the file; New and Value of the
// result are nil. Errors are those of [Loader.Load].
func (l *Loader[D]) Examine(ctx context.Context, path string) (*Driver[D], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := absolute(path)
	if err != nil {
		return nil, l.failed(ctx, "", path, err)
	}
	c, err := l.examine("", path)
	if err != nil {
		return nil, l.failed(ctx, "", path, err)
	}
	return &Driver[D]{Manifest: c.manifest, File: path, SHA256: c.sum(), Facts: c.facts}, nil
}

// begin waits for its turn to load, until ctx ends.
func (l *Loader[D]) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.drivers.isClosed() {
		return ErrClosed
	}
	select {
	case l.loading <- struct{}{}:
		if l.drivers.isClosed() { // while this waited
			l.end()
			return ErrClosed
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Loader[D]) end() { <-l.loading }

func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path, &LoadError{Stage: StageAdmit, Wanted: "a path", Found: err.Error(), Remedy: "give an absolute path", Err: err}
	}
	return abs, nil
}

// Driver returns the current driver of a name if it is loaded. It takes no
// lock and allocates nothing.
func (l *Loader[D]) Driver(name string) (*Driver[D], bool) { return l.drivers.current(name) }

// through takes a version through all stages. wanted is the name that was asked
// for, or "".
func (l *Loader[D]) through(ctx context.Context, wanted string, c choice[D]) (*Driver[D], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.linked != nil {
		return l.throughLinked(ctx, c.linked)
	}
	found, err := l.examine(wanted, c.file)
	if err != nil {
		return nil, err
	}
	if d, ok := l.drivers.bySum(found.sum()); ok {
		return d, nil
	}
	d, err := l.run(ctx, found)
	if err != nil {
		return nil, ofDriver(found.manifest.Name, err)
	}
	d.File, d.SHA256, d.Facts, d.Manifest, d.size = c.file, found.sum(), found.facts, found.manifest, int64(len(found.bytes))
	return d, l.registered(ctx, d)
}

// registered takes a driver through the last stage.
func (l *Loader[D]) registered(ctx context.Context, d *Driver[D]) error {
	if err := l.register(ctx, d); err != nil {
		return err
	}
	l.log.InfoContext(ctx, "driver loaded", "driver", d.Manifest.Name, "version", d.Manifest.Version, "file", d.File)
	return nil
}

// run takes a file that was examined through the stages that run it.
func (l *Loader[D]) run(ctx context.Context, c *candidate) (*Driver[D], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	own, err := stage(c.admitted, l.cfg)
	if err != nil {
		return nil, err
	}
	if l.cfg.Probe {
		if err := l.probe(ctx, own.path, c); err != nil {
			own.release()
			return nil, err
		}
	}
	symbols, err := open(ctx, own, c, l.cfg)
	if err != nil {
		return nil, err
	}
	d, err := bind[D](symbols, c.manifest, c.facts)
	if err != nil {
		return nil, err
	}
	if err := giveLogger(d.Value, l.cfg.Logger); err != nil {
		shutDown(l.log, c.manifest, d.Value)
		return nil, err
	}
	return d, nil
}

// candidate is a driver file that may be loaded.
type candidate struct {
	*admitted
	facts    *inspect.Facts
	manifest contract.Manifest
}

// examine takes a file through the stages that run nothing of it.
func (l *Loader[D]) examine(wanted, file string) (*candidate, error) {
	a, err := admit(file, l.cfg)
	if err != nil {
		return nil, err
	}
	facts, manifest, err := l.judge(a, wanted)
	if err != nil {
		return nil, err
	}
	return &candidate{a, facts, manifest}, nil
}

// judge takes admitted bytes through the stages from inspect to agree. With an
// error it returns what is known by then.
func (l *Loader[D]) judge(a *admitted, wanted string) (*inspect.Facts, contract.Manifest, error) {
	facts, manifest, err := inspectFile(a)
	if err != nil {
		return facts, manifest, err
	}
	if err := fit(facts, place(a.sum())); err != nil {
		return facts, manifest, ofDriver(manifest.Name, err)
	}
	if err := exportsNewDriver[D](facts); err != nil {
		return facts, manifest, ofDriver(manifest.Name, err)
	}
	return facts, manifest, agree(l.contract.Name(), l.contract.Version(), l.versions, manifest, wanted, a.path)
}

// ofDriver says in an error which driver it is about, once the manifest is
// known.
func ofDriver(name string, err error) error {
	if le, ok := errors.AsType[*LoadError](err); ok && le.Driver == "" {
		le.Driver = name
	}
	return err
}

// failed fills in what the stages do not know, and tells the log.
func (l *Loader[D]) failed(ctx context.Context, name, file string, err error) error {
	err = filled(name, file, err)
	l.warn(ctx, err)
	return err
}

// filled fills in what the stages do not know.
func filled(name, file string, err error) error {
	if le, ok := errors.AsType[*LoadError](err); ok {
		le.Driver, le.File = cmp.Or(le.Driver, name), cmp.Or(le.File, file)
	}
	return err
}

// warn tells the log of a refusal.
func (l *Loader[D]) warn(ctx context.Context, err error) {
	if le, ok := errors.AsType[*LoadError](err); ok {
		l.log.WarnContext(ctx, "driver not loaded", "driver", le.Driver, "file", le.File, "stage", le.Stage,
			"wanted", le.Wanted, "found", le.Found, "remedy", le.Remedy)
	}
}
