package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	upstream "github.com/go-sql-driver/mysql"
	"github.com/keyway-go/keyway/contract"
)

var _ driver.Connector = (*connector)(nil)

// connector opens connections to one database. It holds nothing that would have
// to be closed.
type connector struct {
	driver   *mysqlDriver
	upstream driver.Connector
}

func newConnector(d *mysqlDriver, dsn string) (*connector, error) {
	cfg, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	cfg.Logger = logger{d}
	cfg.DialFunc = dial
	up, err := upstream.NewConnector(cfg)
	if err != nil { // its text might quote the DSN
		return nil, errors.New("mysql: wrong DSN: upstream refuses it, and keeps the reason to itself since that may hold a secret")
	}
	return &connector{driver: d, upstream: up}, nil
}

// Connect opens a connection; ctx is for that alone.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	up, err := c.upstream.Connect(ctx)
	if err != nil {
		return nil, connectError(ctx, err)
	}
	return &conn{upstreamConn: up.(upstreamConn)}, nil
}

// connectError mends two errors of upstream's Connect. driver.ErrBadConn would
// have database/sql try again and then say no more than "bad connection". And
// when the DSN's own timeout has passed, the error is a deadline's, although the
// caller's context lives on.
func connectError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, driver.ErrBadConn):
		return contract.WithSQLState(errors.New("mysql: the server ended the connection while it was set up"), connectionLost)
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return contract.WithSQLState(fmt.Errorf("mysql: %v; the DSN's timeout has passed", err), connectionRefused)
	}
	return err
}

// Driver returns the driver that made the connector.
func (c *connector) Driver() driver.Driver { return c.driver }

// logger passes upstream's messages on. Unlike upstream's own it is never the
// one that a whole program shares.
type logger struct{ driver *mysqlDriver }

// Print is upstream's way of logging.
func (l logger) Print(v ...any) {
	if to := l.driver.logger.Load(); to != nil {
		to.Warn(fmt.Sprint(v...), "driver", name)
	}
}
