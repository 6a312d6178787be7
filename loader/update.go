package loader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// Change is a version that became current in the place of another.
type Change struct {
	// Name is the driver's name, From the version before, and To the one now.
	Name, From, To string
}

// register is the stage of that name. A driver that comes too late is shut down.
func (l *Loader[D]) register(ctx context.Context, d *Driver[D]) error {
	err := l.drivers.register(ctx, d)
	if err != nil && !l.drivers.holds(d) {
		shutDown(l.log, d.Manifest, d.Value)
	}
	return err
}

// registerFault says which driver a follower could not take. Why is in Err alone:
// a driver may quote the DSN, and this goes into logs.
func registerFault[D any](d *Driver[D], err error) error {
	return &LoadError{Stage: StageRegister, Driver: d.Manifest.Name, File: d.File, Wanted: "a version that every open database can use",
		Found: "version " + d.Manifest.Version + ", which refuses one (LoadError.Err says why)", Remedy: "use a version of the driver that accepts the same DSNs", Err: err}
}

// Refresh looks at the directories again. For each driver that is current it
// takes up the highest version that is higher, if the application allows it: the
// file goes through all stages, then the version becomes current, and every
// *sql.DB that was opened by its name moves over to it. A pinned driver stays,
// and so does one whose file is gone.
//
// A version that fails changes nothing; the next lower one is tried. One that was
// opened and failed is not run again before its file has changed; one that an open
// database refuses is asked again each time; one that was rolled back is left
// alone. The error joins those of all that failed now. When ctx ends, what has
// become current stays so.
func (l *Loader[D]) Refresh(ctx context.Context) ([]Change, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.end()
	if err := l.look(ctx); err != nil {
		return nil, l.failed(ctx, "", "", err)
	}
	var changes []Change
	var faults []error
	for _, name := range l.drivers.inUse() {
		change, err := l.advance(ctx, name)
		if change != nil {
			changes = append(changes, *change)
		}
		if err != nil {
			faults = append(faults, err)
		}
		if err := ctx.Err(); err != nil {
			return changes, err
		}
	}
	return changes, errors.Join(faults...)
}

// inUse returns the names that have a current version, sorted.
func (r *registry[D]) inUse() []string {
	m := r.byName.Load()
	if m == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(*m))
}

// advance takes up the best version of a name that is higher than the current
// one and works. It returns nil if there is none, and the errors of those that
// do not work.
func (l *Loader[D]) advance(ctx context.Context, name string) (*Change, error) {
	old, ok := l.drivers.current(name)
	if !ok || l.drivers.pinned(name) != "" {
		return nil, nil
	}
	choices, err := l.choices(ctx, name, "")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotAllowed) {
		return nil, nil // there is nothing any more, and that changes nothing
	}
	if err != nil {
		return nil, l.failed(ctx, name, "", err)
	}
	var faults []error
	for _, c := range choices {
		if compareVersions(c.version, old.Manifest.Version) <= 0 {
			break
		}
		if l.drivers.wasLeft(name, c.version) {
			continue
		}
		d, loaded := l.drivers.byVersion(name, c.version)
		if s := l.onShelf(c.file); !loaded && s != nil && s.err != nil {
			if !s.ran {
				faults = append(faults, s.err)
			}
			continue
		}
		var err error
		if !loaded {
			d, err = l.take(ctx, name, c)
		}
		if err == nil {
			err = l.promote(ctx, d)
		}
		if err == nil {
			l.log.InfoContext(ctx, "driver updated", "driver", name, "from", old.Manifest.Version, "to", d.Manifest.Version)
			return &Change{Name: name, From: old.Manifest.Version, To: d.Manifest.Version}, errors.Join(faults...)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

// promote makes a loaded driver current, if it is not. What it says for the first
// time goes to the log.
func (l *Loader[D]) promote(ctx context.Context, d *Driver[D]) error {
	before := l.drivers.refusal(d)
	err := l.drivers.promote(ctx, d, func(*lineage[D], *Driver[D]) {})
	if err != nil && (before == nil || before.Error() != err.Error()) {
		l.warn(ctx, err)
	}
	return err
}

// Rollback makes the version current again that was so before, and moves every
// *sql.DB to it. The version that is left is not taken up again, except by Pin;
// a higher one is. It returns what is current now. If there is no earlier
// version, or an open database cannot use it, the error is a *LoadError of stage
// register, and nothing has changed.
func (l *Loader[D]) Rollback(ctx context.Context, name string) (*Driver[D], error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.end()
	d, ok := l.drivers.previous(name)
	if !ok {
		return nil, &LoadError{Stage: StageRegister, Driver: name, Wanted: "a version that was current before", Found: "none",
			Remedy: "pin a version: loader.Loader.Pin"}
	}
	var from string
	err := l.drivers.promote(ctx, d, func(lin *lineage[D], old *Driver[D]) {
		from = old.Manifest.Version
		lin.left[old] = true
		if lin.pinned != "" {
			lin.pinned = d.Manifest.Version
		}
	})
	if err != nil {
		return nil, err
	}
	l.log.InfoContext(ctx, "driver rolled back", "driver", name, "from", from, "to", d.Manifest.Version)
	return d, nil
}

// Pin makes a version of a driver current and keeps it so until [Loader.Unpin]:
// Refresh takes up no other. It is loaded if it is not; Config.Versions must
// allow it. Every *sql.DB that was opened by name moves over. An error is one of
// [Loader.Load], and nothing has changed then.
func (l *Loader[D]) Pin(ctx context.Context, name, version string) (*Driver[D], error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.end()
	d, err := l.pin(ctx, name, version)
	if err != nil {
		return nil, err
	}
	l.log.InfoContext(ctx, "driver pinned", "driver", name, "version", version)
	return d, nil
}

func (l *Loader[D]) pin(ctx context.Context, name, version string) (*Driver[D], error) {
	d, ok := l.drivers.byVersion(name, version)
	if !ok {
		choices, err := l.choices(ctx, name, version)
		if err != nil {
			return nil, l.failed(ctx, name, "", err)
		}
		if d, err = l.take(ctx, name, choices[0]); err != nil {
			return nil, err
		}
	}
	if d.Manifest.Version != version {
		return nil, &LoadError{Stage: StageFind, Driver: name, File: d.File, Wanted: "version " + version, Found: "version " + d.Manifest.Version,
			Remedy: fmt.Sprintf("install %s-v%s.so", name, version)}
	}
	return d, l.drivers.promote(ctx, d, func(lin *lineage[D], _ *Driver[D]) {
		delete(lin.left, d)
		lin.pinned = version
	})
}

// Unpin lets a driver go that was pinned. Its version stays current until the
// next Refresh. It does nothing to a name that is not pinned.
func (l *Loader[D]) Unpin(name string) { l.drivers.unpin(name) }
