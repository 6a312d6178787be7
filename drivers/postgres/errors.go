package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SQLState returns the SQLSTATE that the server gave, or one that says what
// happened when it gave none: no connection (08001), a connection that broke
// (08006) or is closed (08003), a transaction that is over (25P01) or could
// only be rolled back (25P02). It returns "" for errors of a context.
func (d *postgresDriver) SQLState(err error) string {
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &server):
		return server.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ""
	case errors.As(err, &connect):
		return "08001"
	case errors.Is(err, pgx.ErrTxClosed):
		return "25P01"
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return "25P02"
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, net.ErrClosed), pgconn.SafeToRetry(err):
		return "08003"
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF):
		return "08006"
	}
	return ""
}
