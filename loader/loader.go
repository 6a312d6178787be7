package loader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/inspect"
)

// Config says where drivers are and which are welcome. The zero value finds
// nothing, but loads files by path.
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
	// execution. Programs of one user should share it: they then share the
	// memory of the drivers, too.
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
	// Such a file is remembered, by its content and in CacheDir, and is not
	// tried again before [Loader.Forget], whichever program of this user
	// probes. The program must import package loader/probe, which tells how
	// the child comes to be. LoadError.Err of stage probe is a *ProbeError,
	// unless no child could be started.
	Probe bool
	// ProbeTimeout is how long the child may take; 0 means 10 seconds.
	ProbeTimeout time.Duration
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
}

// Driver is a driver that was loaded. It is immutable and safe for concurrent
// use.
type Driver[D any] struct {
	// Manifest is what the driver says of itself.
	Manifest contract.Manifest
	// File is where it was found; what runs is a private copy of it.
	File string
	// SHA256 is the hash of its bytes, in hex.
	SHA256 string
	// Facts were read from those bytes before they ran. Not to be changed.
	Facts *inspect.Facts
	// New is the file's NewDriver. Each call makes an independent driver.
	New func() D
	// Value is the driver that the loader made when it checked the name.
	Value D
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
	if t := cfg.Trust; t != nil && slices.ContainsFunc(t.Owners, func(uid int) bool { return uid < 0 }) {
		faults = append(faults, fmt.Errorf("loader: Trust.Owners has a negative number: %v", t.Owners))
	}
	if err := checkProbe(cfg); err != nil {
		faults = append(faults, err)
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
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Loader[D]{contract: c, cfg: cfg, versions: v, log: log, loading: make(chan struct{}, 1)}, nil
}

// Load returns the driver of a name, from the registry or else from the best
// file in Config.Dirs: the one of the highest version that Config.Versions
// allows, and among equals the one of the earlier directory. An error is a
// *LoadError, or ctx.Err() if ctx ended while this call waited for another one
// to load, during a probe, or between two stages.
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
	file, err := l.find(ctx, name)
	if err != nil {
		return nil, l.failed(ctx, name, "", err)
	}
	return l.pipeline(ctx, name, file)
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
	return l.pipeline(ctx, "", path)
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
	select {
	case l.loading <- struct{}{}:
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

// pipeline is the whole way of one file. wanted is the name that was asked
// for, or "".
func (l *Loader[D]) pipeline(ctx context.Context, wanted, file string) (*Driver[D], error) {
	d, err := l.stages(ctx, wanted, file)
	if err != nil {
		return nil, l.failed(ctx, wanted, file, err)
	}
	l.log.InfoContext(ctx, "driver loaded", "driver", d.Manifest.Name, "version", d.Manifest.Version, "file", file)
	return d, nil
}

func (l *Loader[D]) stages(ctx context.Context, wanted, file string) (*Driver[D], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := l.examine(wanted, file)
	if err != nil {
		return nil, err
	}
	if d, ok := l.drivers.bySum(c.sum()); ok {
		return d, nil
	}
	d, err := l.run(ctx, c)
	if err != nil {
		return nil, ofDriver(c.manifest.Name, err)
	}
	d.File, d.SHA256, d.Facts, d.Manifest = file, c.sum(), c.facts, c.manifest
	l.drivers.register(d)
	return d, nil
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
	symbols, err := open(own, c.path, c.facts, c.manifest, c.sum())
	if err != nil {
		return nil, err
	}
	d, err := bind[D](symbols, c.manifest, c.facts)
	if err != nil {
		return nil, err
	}
	return d, giveLogger(d.Value, l.cfg.Logger)
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
	facts, manifest, err := inspectFile(a)
	if err != nil {
		return nil, err
	}
	if err := fit(facts, place(a.sum())); err != nil {
		return nil, ofDriver(manifest.Name, err)
	}
	if err := exportsNewDriver[D](facts); err != nil {
		return nil, ofDriver(manifest.Name, err)
	}
	if err := agree(l.contract.Name(), l.contract.Version(), l.versions, manifest, wanted, file); err != nil {
		return nil, err
	}
	return &candidate{a, facts, manifest}, nil
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
	var le *LoadError
	if errors.As(err, &le) {
		if le.Driver == "" {
			le.Driver = name
		}
		if le.File == "" {
			le.File = file
		}
		l.log.WarnContext(ctx, "driver not loaded", "driver", le.Driver, "file", le.File, "stage", le.Stage,
			"wanted", le.Wanted, "found", le.Found, "remedy", le.Remedy)
	}
	return err
}
