package loader

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/keyway-go/keyway/contract"
)

// SQL is a [Loader] for the sql contract.
type SQL struct {
	*Loader[contract.Driver]
}

// New returns a loader for drivers of database/sql. The error names every
// fault of cfg.
func New(cfg Config) (*SQL, error) {
	l, err := For(contract.SQL, cfg)
	if err != nil {
		return nil, err
	}
	return &SQL{l}, nil
}

// OpenDB loads the driver of a name, if it is not loaded, and opens a database
// with it. Like sql.Open it makes no connection yet. The caller closes the DB.
// The error is one of [Loader.Load], or the driver's about dsn, which does not
// hold the DSN unless the driver put it there.
func (s *SQL) OpenDB(ctx context.Context, name, dsn string) (*sql.DB, error) {
	d, err := s.Load(ctx, name)
	if err != nil {
		return nil, err
	}
	connector, err := d.Value.OpenConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("driver %s: open: %w", name, err)
	}
	if isNil(connector) {
		// database/sql would find out at the first query, by a panic.
		return nil, fmt.Errorf("driver %s: open: OpenConnector returned neither a connector nor an error", name)
	}
	return sql.OpenDB(connector), nil
}
