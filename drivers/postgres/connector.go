package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/keyway-go/keyway/contract"
)

// connector opens connections for one DSN.
type connector struct {
	driver *postgresDriver
	dsn    string // was checked
}

var _ driver.Connector = (*connector)(nil)

// Connect opens a connection. What the DSN leaves open it reads from the
// environment and from files, each time anew.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	config, err := pgx.ParseConfig(c.dsn)
	if err != nil {
		return nil, withoutDSN(err)
	}
	raw, err := stdlib.GetConnector(*config).Connect(ctx)
	if err != nil {
		return nil, connectError(ctx, err)
	}
	return &conn{upstreamConn: raw.(*upstreamConn)}, nil
}

// connectError mends an error of upstream's Connect: when connect_timeout has
// passed, it is a deadline's, although the caller's context lives on. What a
// server has answered before says more.
func connectError(ctx context.Context, err error) error {
	if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	state := "08001"
	var server *pgconn.PgError
	if errors.As(err, &server) {
		state = server.Code
	}
	return contract.WithSQLState(fmt.Errorf("postgres: %v; the time to connect has passed", err), state)
}

// Driver returns the driver that made the connector.
func (c *connector) Driver() driver.Driver { return c.driver }

// withoutDSN takes the DSN out of an error of upstream's parser, whose text
// holds it as far as upstream could redact it, and whose field holds it whole.
func withoutDSN(err error) error {
	var pe *pgconn.ParseConfigError
	if !errors.As(err, &pe) {
		return errors.New("postgres: wrong settings")
	}
	text := pe.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		return errors.New("postgres: wrong settings in the DSN, the environment or a file: " + text[i+3:])
	}
	return errors.New("postgres: wrong settings in the DSN, the environment or a file")
}
