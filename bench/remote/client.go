package remote

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/keyway-go/keyway/bench/remote/remotepb"
)

// remoteDriver is the driver of another process.
type remoteDriver struct{ client remotepb.DatabaseClient }

// Name implements contract.Driver. It returns "" if the other process is gone.
func (d *remoteDriver) Name() string {
	r, err := d.client.Name(context.Background(), &remotepb.NameRequest{})
	if err != nil {
		return ""
	}
	return r.Name
}

// OpenConnector implements contract.Driver. A fault of the DSN shows when a
// connection is made.
func (d *remoteDriver) OpenConnector(dsn string) (driver.Connector, error) {
	return &connector{d, dsn}, nil
}

// Open implements [driver.Driver].
func (d *remoteDriver) Open(dsn string) (driver.Conn, error) {
	return (&connector{d, dsn}).Connect(context.Background())
}

type connector struct {
	driver *remoteDriver
	dsn    string
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	r, err := c.driver.client.Connect(ctx, &remotepb.ConnectRequest{Dsn: c.dsn})
	if err != nil {
		return nil, err
	}
	return &conn{c.driver.client, r.Connection}, nil
}

// Driver implements [driver.Connector].
func (c *connector) Driver() driver.Driver { return c.driver }

// conn is a connection of the other process.
type conn struct {
	client remotepb.DatabaseClient
	id     int64
}

// Close implements [driver.Conn].
func (c *conn) Close() error {
	_, err := c.client.Disconnect(context.Background(), &remotepb.DisconnectRequest{Connection: c.id})
	return err
}

// Prepare implements [driver.Conn].
func (c *conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	r, err := c.client.Prepare(ctx, &remotepb.PrepareRequest{Connection: c.id, Text: text})
	if err != nil {
		return nil, err
	}
	return &stmt{c, r.Prepared, int(r.Parameters)}, nil
}

// ExecContext implements [driver.ExecerContext].
func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	return c.exec(ctx, &remotepb.Statement{Connection: c.id, Text: text}, args)
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, &remotepb.Statement{Connection: c.id, Text: text}, args)
}

// Begin implements [driver.Conn].
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx implements [driver.ConnBeginTx].
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if opts != (driver.TxOptions{}) {
		return nil, errors.New("remote: transactions have no options")
	}
	_, err := c.ExecContext(ctx, "BEGIN", nil)
	return tx{c}, err
}

func (c *conn) exec(ctx context.Context, s *remotepb.Statement, args []driver.NamedValue) (driver.Result, error) {
	var err error
	if s.Arguments, err = pushAll(args); err != nil {
		return nil, err
	}
	r, err := c.client.Exec(ctx, s)
	if err != nil {
		return nil, err
	}
	return result{r}, nil
}

func (c *conn) query(ctx context.Context, s *remotepb.Statement, args []driver.NamedValue) (driver.Rows, error) {
	var err error
	if s.Arguments, err = pushAll(args); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.client.Query(ctx, s)
	if err != nil {
		cancel()
		return nil, err
	}
	first, err := stream.Recv()
	if err != nil {
		cancel()
		return nil, err
	}
	return &rows{stream: stream, cancel: cancel, columns: first.Columns, values: puller{from: first.Values}, last: first.Last}, nil
}

type tx struct{ conn *conn }

// Commit implements [driver.Tx].
func (t tx) Commit() error { return t.end("COMMIT") }

// Rollback implements [driver.Tx].
func (t tx) Rollback() error { return t.end("ROLLBACK") }

func (t tx) end(text string) error {
	_, err := t.conn.ExecContext(context.Background(), text, nil)
	return err
}

// stmt is a statement that the other process has prepared.
type stmt struct {
	conn       *conn
	id         int64
	parameters int
}

// Close implements [driver.Stmt].
func (s *stmt) Close() error {
	_, err := s.conn.client.CloseStatement(context.Background(), &remotepb.CloseStatementRequest{Connection: s.conn.id, Prepared: s.id})
	return err
}

// NumInput implements [driver.Stmt].
func (s *stmt) NumInput() int { return s.parameters }

// Exec implements [driver.Stmt]. database/sql calls ExecContext.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) {
	return nil, errors.New("remote: only with a context")
}

// Query implements [driver.Stmt]. database/sql calls QueryContext.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) {
	return nil, errors.New("remote: only with a context")
}

// ExecContext implements [driver.StmtExecContext].
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.exec(ctx, &remotepb.Statement{Connection: s.conn.id, Prepared: s.id}, args)
}

// QueryContext implements [driver.StmtQueryContext].
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.query(ctx, &remotepb.Statement{Connection: s.conn.id, Prepared: s.id}, args)
}

type result struct{ reply *remotepb.ExecReply }

// LastInsertId implements [driver.Result].
func (r result) LastInsertId() (int64, error) { return r.reply.LastInsertId, nil }

// RowsAffected implements [driver.Result].
func (r result) RowsAffected() (int64, error) { return r.reply.RowsAffected, nil }

// rows are those of the batch that came last, and what the stream holds.
type rows struct {
	stream  grpc.ServerStreamingClient[remotepb.Rows]
	cancel  context.CancelFunc
	columns []string
	values  puller
	last    bool
}

// Columns implements [driver.Rows].
func (r *rows) Columns() []string { return r.columns }

// Close implements [driver.Rows].
func (r *rows) Close() error {
	defer r.cancel()
	if r.last {
		_, err := r.stream.Recv() // the end, which is on its way
		if err != io.EOF {
			return err
		}
	}
	return nil
}

// Next implements [driver.Rows].
func (r *rows) Next(row []driver.Value) error {
	for r.values.left() == 0 {
		if r.last {
			return io.EOF
		}
		batch, err := r.stream.Recv()
		if err != nil {
			return err
		}
		r.values, r.last = puller{from: batch.Values}, batch.Last
	}
	for i := range row {
		row[i] = r.values.pull()
	}
	return nil
}
