package loader

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/keyway-go/keyway/contract"
)

// SQL is a [Loader] for the sql contract.
type SQL struct {
	*Loader[contract.Driver]
	lanes *lanes
}

// New returns a loader for drivers of database/sql. The error names every
// fault of cfg.
func New(cfg Config) (*SQL, error) {
	l, err := For(contract.SQL, cfg)
	if err != nil {
		return nil, err
	}
	return &SQL{l, newLanes(l.cfg.Logger, l.log)}, nil
}

// OpenDB loads the driver of a name, if it is not loaded, and opens a database
// with it. Like sql.Open it makes no connection yet. The caller closes the DB.
//
// The DB goes with the current version of the driver. When that changes, by
// [Loader.Refresh], [Loader.Watch], [Loader.Pin], [Loader.Rollback] or a load of
// a higher version, new connections are made with the new version; connections
// of the old one that are idle are closed, and those in use are closed when they
// are given back: after the statement, the rows, or the transaction. One that is on
// its way from one caller to the next just then serves that one. Each DB must be
// able to use the new version: one that refuses its DSN does not become current.
// What a driver keeps in the process, such as SQLite's databases in memory, does
// not go over.
//
// What sql.Conn.Raw gives is a wrapper around the driver's connection, with a
// method Unwrap() driver.Conn that returns it. Statements, rows, transactions
// and results are the driver's own.
//
// The error is one of [Loader.Load], or the driver's about dsn, which does not
// hold the DSN unless the driver put it there.
func (s *SQL) OpenDB(ctx context.Context, name, dsn string) (*sql.DB, error) {
	f := s.following(name, dsn)
	// It must be there before the version can change.
	f.db = sql.OpenDB(f)
	if err := s.join(ctx, f); err != nil {
		_ = f.db.Close() // of no connection
		return nil, err
	}
	return f.db, nil
}

// Connector is [SQL.OpenDB] for what stands between driver and sql.OpenDB, such
// as tracing. The connector must be closed, which a *sql.DB does: it is an
// io.Closer. An idle connection of an old version serves once more and is closed
// then, since only the pool can close it, which it is not asked for here.
func (s *SQL) Connector(ctx context.Context, name, dsn string) (driver.Connector, error) {
	f := s.following(name, dsn)
	if err := s.join(ctx, f); err != nil {
		return nil, err
	}
	return f, nil
}

func (s *SQL) following(name, dsn string) *following {
	return &following{name: name, dsn: dsn, lanes: s.lanes, leave: func(f *following) { s.drivers.unfollow(name, f) }}
}

// join loads a follower's driver and lets it go with the current version.
func (s *SQL) join(ctx context.Context, f *following) error {
	d, err := s.Load(ctx, f.name)
	if err != nil {
		return err
	}
	if err := s.drivers.follow(ctx, f.name, f); err != nil {
		return err
	}
	if s.log.Enabled(ctx, slog.LevelDebug) {
		s.log.DebugContext(ctx, "database opened", "driver", f.name, "dsn", redacted(d.Value, f.dsn))
	}
	return nil
}

// redacted is what may be logged of a DSN.
func redacted(d contract.Driver, dsn string) (text string) {
	r, ok := d.(contract.DSNRedactor)
	if !ok || contain(func() { text = r.RedactDSN(dsn) }) != nil {
		return "(not shown)"
	}
	return text
}

// From RFC 3986, section 3.1. What follows the scheme need not be a URL that
// package url can parse: passwords often are not escaped.
var schemeOf = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):`)

// OpenURL is [SQL.OpenDB] for the driver that claims the URL's scheme in its
// manifest; the whole URL is the DSN. Of several drivers that claim it, the one
// whose name it is is taken; if there is no such driver, that is an error, as it
// is if nobody claims it: a *LoadError of stage find. Errors do not hold the URL.
func (s *SQL) OpenURL(ctx context.Context, url string) (*sql.DB, error) {
	name, err := s.claimant(ctx, url)
	if err != nil {
		return nil, s.failed(ctx, "", "", err)
	}
	return s.OpenDB(ctx, name, url)
}

// claimant returns the name of the driver for a URL.
func (s *SQL) claimant(ctx context.Context, url string) (string, error) {
	m := schemeOf.FindStringSubmatch(url)
	if m == nil {
		return "", &LoadError{Stage: StageFind, Wanted: `a URL that begins with a scheme and ":"`, Found: "none",
			Remedy: "give a URL, or open the database by the driver's name: OpenDB"}
	}
	scheme := strings.ToLower(m[1])
	claims, failed, err := s.claims(ctx)
	if err != nil {
		return "", err
	}
	names := claims[scheme]
	if len(names) == 0 { // a file may have come since the last look
		if err := s.look(ctx); err != nil {
			return "", err
		}
		if claims, failed, err = s.claims(ctx); err != nil {
			return "", err
		}
		names = claims[scheme]
	}
	switch {
	case len(names) == 1:
		return names[0], nil
	case slices.Contains(names, scheme):
		return scheme, nil
	case len(names) > 1:
		return "", &LoadError{Stage: StageFind, Wanted: "one driver that claims URLs of scheme " + scheme, Found: strings.Join(names, ", "),
			Remedy: "open the database by the driver's name: OpenDB"}
	}
	e := &LoadError{Stage: StageFind, Wanted: "a driver that claims URLs of scheme " + scheme, Found: "none",
		Remedy: `install one that has the scheme among "schemes" of its manifest, or open the database by the driver's name: OpenDB`}
	if err := failed[scheme]; err != nil {
		e.Found, e.Err = "only one that cannot be loaded: "+err.Error(), err
	} else if len(claims) > 0 {
		var known []string
		for scheme := range claims {
			known = append(known, scheme)
		}
		slices.Sort(known)
		e.Found = "claims of " + strings.Join(known, ", ") + " only"
	}
	if len(s.cfg.Dirs) > 0 {
		e.Found += fmt.Sprintf(" (in %s)", strings.Join(s.cfg.Dirs, ", "))
	}
	return "", e
}

// claims tells which drivers claim which URL schemes, sorted and without
// repetition, and why those who claim one cannot be loaded.
func (s *SQL) claims(ctx context.Context) (map[string][]string, map[string]error, error) {
	files, err := s.shelved(ctx)
	if err != nil {
		return nil, nil, err
	}
	claims, failed := map[string][]string{}, map[string]error{}
	add := func(m contract.Manifest) {
		for _, scheme := range m.Schemes {
			if !slices.Contains(claims[scheme], m.Name) {
				claims[scheme] = append(claims[scheme], m.Name)
				slices.Sort(claims[scheme])
			}
		}
	}
	for _, in := range s.linkedIn() {
		add(in.manifest)
	}
	for _, f := range files {
		if f.err == nil {
			add(f.manifest)
			continue
		}
		for _, scheme := range f.manifest.Schemes {
			failed[scheme] = f.err
		}
	}
	return claims, failed, nil
}
