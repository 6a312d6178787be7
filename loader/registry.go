package loader

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrClosed is what a loader answers after [Loader.Close], and what a *sql.DB
// of it answers that needs a new connection.
var ErrClosed = errors.New("loader: closed")

// registry knows the drivers that are loaded, by name and version, and which
// one of each name is current. Readers take the current ones without a lock.
type registry[D any] struct {
	byName atomic.Pointer[map[string]*Driver[D]]

	mu     sync.Mutex // protects following fields, and writing to byName
	names  map[string]*lineage[D]
	closed bool
}

// lineage is what became of the versions of one name.
type lineage[D any] struct {
	// turn holds a value while the current version changes and while a follower
	// joins, so that none misses a change. Drivers' code runs meanwhile.
	turn chan struct{}

	// registry.mu protects following fields.

	loaded    []*Driver[D]         // in the order of loading
	past      []*Driver[D]         // those that were current before, the latest last
	pinned    string               // the version to stay at, or ""
	left      map[*Driver[D]]bool  // those that were rolled back
	refused   map[*Driver[D]]error // those that a follower could not take
	followers map[follower[D]]struct{}
}

// follower is somebody who goes with the current version of a name.
type follower[D any] interface {
	// prepare makes ready for a version, and returns what moves over to it, or
	// gives up what was made ready. Exactly one of the two is called.
	prepare(d *Driver[D]) (move, drop func(), err error)
	// retire ends the use of whatever version it is.
	retire()
}

func (r *registry[D]) current(name string) (*Driver[D], bool) {
	m := r.byName.Load()
	if m == nil {
		return nil, false
	}
	d, ok := (*m)[name]
	return d, ok
}

func (r *registry[D]) has(name string) bool {
	_, ok := r.current(name)
	return ok
}

// lineage returns what is known of a name, and makes it known. The caller holds
// mu.
func (r *registry[D]) lineage(name string) *lineage[D] {
	l, ok := r.names[name]
	if !ok {
		l = newLineage[D]()
		if r.names == nil {
			r.names = map[string]*lineage[D]{}
		}
		r.names[name] = l
	}
	return l
}

// known returns what is known of a name, which may be nothing. The caller holds
// mu, and changes nothing of it.
func (r *registry[D]) known(name string) *lineage[D] {
	if l, ok := r.names[name]; ok {
		return l
	}
	return newLineage[D]()
}

func newLineage[D any]() *lineage[D] {
	return &lineage[D]{turn: make(chan struct{}, 1), left: map[*Driver[D]]bool{}, refused: map[*Driver[D]]error{}, followers: map[follower[D]]struct{}{}}
}

// begin waits for the turn to change the current version of a name, until ctx
// ends. end must be called if there is no error.
func (r *registry[D]) begin(ctx context.Context, name string) (l *lineage[D], end func(), err error) {
	r.mu.Lock()
	l = r.lineage(name)
	r.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
		return l, func() { <-l.turn }, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// find returns the first loaded driver of which something is true.
func (r *registry[D]) find(is func(*Driver[D]) bool) (*Driver[D], bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.names {
		if i := slices.IndexFunc(l.loaded, is); i >= 0 {
			return l.loaded[i], true
		}
	}
	return nil, false
}

func (r *registry[D]) bySum(sum string) (*Driver[D], bool) {
	return r.find(func(d *Driver[D]) bool { return d.SHA256 == sum })
}

func (r *registry[D]) byVersion(name, version string) (*Driver[D], bool) {
	return r.find(func(d *Driver[D]) bool { return d.Manifest.Name == name && d.Manifest.Version == version })
}

// register adds a driver. It becomes current unless a version is that is not
// lower, or another one is pinned.
func (r *registry[D]) register(ctx context.Context, d *Driver[D]) error {
	l, end, err := r.begin(ctx, d.Manifest.Name)
	if err != nil {
		return err
	}
	defer end()
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return ErrClosed
	}
	l.loaded = append(l.loaded, d)
	old, ok := r.current(d.Manifest.Name)
	stays := ok && compareVersions(d.Manifest.Version, old.Manifest.Version) <= 0
	if l.pinned != "" {
		stays = l.pinned != d.Manifest.Version
	}
	r.mu.Unlock()
	if stays {
		return nil
	}
	return r.switchTo(l, d)
}

// promote makes a loaded driver current. The lineage is changed by then, if it
// goes well.
func (r *registry[D]) promote(ctx context.Context, d *Driver[D], then func(l *lineage[D], old *Driver[D])) error {
	l, end, err := r.begin(ctx, d.Manifest.Name)
	if err != nil {
		return err
	}
	defer end()
	old, _ := r.current(d.Manifest.Name)
	if old != d {
		if err := r.switchTo(l, d); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	then(l, old)
	return nil
}

// switchTo moves all followers to a driver, or none. The caller has the turn.
func (r *registry[D]) switchTo(l *lineage[D], d *Driver[D]) error {
	r.mu.Lock()
	followers := slices.Collect(maps.Keys(l.followers))
	r.mu.Unlock()
	var moves, drops []func()
	for _, f := range followers {
		move, drop, err := f.prepare(d)
		if err != nil {
			giveUp(drops)
			err = registerFault(d, err)
			r.mu.Lock()
			l.refused[d] = err
			r.mu.Unlock()
			return err
		}
		moves, drops = append(moves, move), append(drops, drop)
	}
	if !r.setCurrent(l, d) {
		giveUp(drops)
		return ErrClosed
	}
	for _, move := range moves {
		move()
	}
	return nil
}

func giveUp(drops []func()) {
	for _, drop := range drops {
		drop()
	}
}

// setCurrent reports false if the registry is closed.
func (r *registry[D]) setCurrent(l *lineage[D], d *Driver[D]) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	delete(l.refused, d)
	if old, ok := r.current(d.Manifest.Name); ok {
		l.past = append(slices.DeleteFunc(l.past, func(p *Driver[D]) bool { return p == old || p == d }), old)
	}
	next := map[string]*Driver[D]{}
	if m := r.byName.Load(); m != nil {
		maps.Copy(next, *m)
	}
	next[d.Manifest.Name] = d
	r.byName.Store(&next)
	return true
}

// follow lets a follower go with the current version of a name, of which there
// must be one.
func (r *registry[D]) follow(ctx context.Context, name string, f follower[D]) error {
	l, end, err := r.begin(ctx, name)
	if err != nil {
		return err
	}
	defer end()
	d, ok := r.current(name)
	if !ok {
		return ErrClosed
	}
	move, drop, err := f.prepare(d)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		drop()
		return ErrClosed
	}
	move()
	l.followers[f] = struct{}{}
	return nil
}

func (r *registry[D]) unfollow(name string, f follower[D]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known(name).followers, f)
}

// close makes no version current any more, and retires what followed, without
// waiting for any turn: what changes meanwhile is given up. It returns the drivers
// that are loaded, nothing the second time.
func (r *registry[D]) close() []*Driver[D] {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.byName.Store(nil)
	var drivers []*Driver[D]
	var followers []follower[D]
	for _, l := range r.names {
		drivers = append(drivers, l.loaded...)
		followers = slices.AppendSeq(followers, maps.Keys(l.followers))
		clear(l.followers)
	}
	r.mu.Unlock()
	for _, f := range followers {
		f.retire()
	}
	return drivers
}

// previous returns the version that was current before the current one and was
// not rolled back.
func (r *registry[D]) previous(name string) (*Driver[D], bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.known(name)
	for _, d := range slices.Backward(l.past) {
		if !l.left[d] && l.refused[d] == nil {
			return d, true
		}
	}
	return nil, false
}

func (r *registry[D]) unpin(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known(name).pinned = ""
}

func (r *registry[D]) pinned(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known(name).pinned
}

// holds tells whether a driver is registered.
func (r *registry[D]) holds(d *Driver[D]) bool {
	_, ok := r.find(func(known *Driver[D]) bool { return known == d })
	return ok
}

// wasLeft tells whether a version is loaded and was rolled back.
func (r *registry[D]) wasLeft(name, version string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.known(name)
	return slices.ContainsFunc(l.loaded, func(d *Driver[D]) bool { return d.Manifest.Version == version && l.left[d] })
}

// refusal returns why no follower could be moved to a driver when that was tried
// last, or nil.
func (r *registry[D]) refusal(d *Driver[D]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known(d.Manifest.Name).refused[d]
}

func (r *registry[D]) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// statuses lists the loaded drivers, in no order.
func (r *registry[D]) statuses() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Status
	for name, l := range r.names {
		current, _ := r.current(name)
		for _, d := range l.loaded {
			s := d.status()
			s.Pinned, s.RolledBack, s.Err = l.pinned == s.Version, l.left[d], l.refused[d]
			switch {
			case d == current:
				s.State = Current
			case s.Err != nil:
				s.State = Failed
			case d.use.lanes.Load() > 0:
				s.State = Retiring
			default:
				s.State = Loaded
			}
			all = append(all, s)
		}
	}
	return all
}

// byNameAndVersion is the order in which drivers are listed: the highest
// version first.
func byNameAndVersion(a, b Status) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), compareVersions(b.Version, a.Version), cmp.Compare(a.File, b.File))
}
