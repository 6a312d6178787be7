package remote

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/keyway-go/keyway/bench/remote/remotepb"
	"github.com/keyway-go/keyway/contract"
)

// A message holds about as much as gRPC writes at once.
const (
	batchRows   = 512
	batchValues = 4096
)

// server answers for a driver.
type server struct {
	remotepb.UnimplementedDatabaseServer
	driver contract.Driver

	mu    sync.Mutex // protects following fields
	conns map[int64]*session
	last  int64
}

func newServer(d contract.Driver) *server { return &server{driver: d, conns: map[int64]*session{}} }

// session is a connection. Requests about it wait for each other: one that was
// cancelled can still be running when the next arrives.
type session struct {
	mu       sync.Mutex // protects following fields
	conn     driver.Conn
	prepared map[int64]driver.Stmt
	last     int64
}

func (s *server) session(id int64) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.conns[id]; ok {
		return c, nil
	}
	return nil, fmt.Errorf("remote: no connection %d", id)
}

// Name implements [remotepb.DatabaseServer].
func (s *server) Name(context.Context, *remotepb.NameRequest) (*remotepb.NameReply, error) {
	return &remotepb.NameReply{Name: s.driver.Name()}, nil
}

// Connect implements [remotepb.DatabaseServer].
func (s *server) Connect(ctx context.Context, r *remotepb.ConnectRequest) (*remotepb.ConnectReply, error) {
	connector, err := s.driver.OpenConnector(r.Dsn)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.conns[s.last] = &session{conn: conn, prepared: map[int64]driver.Stmt{}}
	return &remotepb.ConnectReply{Connection: s.last}, nil
}

// Disconnect implements [remotepb.DatabaseServer].
func (s *server) Disconnect(_ context.Context, r *remotepb.DisconnectRequest) (*remotepb.DisconnectReply, error) {
	c, err := s.session(r.Connection)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	delete(s.conns, r.Connection)
	s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return &remotepb.DisconnectReply{}, c.conn.Close()
}

// Prepare implements [remotepb.DatabaseServer].
func (s *server) Prepare(ctx context.Context, r *remotepb.PrepareRequest) (*remotepb.PrepareReply, error) {
	c, err := s.session(r.Connection)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	preparer, ok := c.conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, errors.New("remote: the driver does not prepare with a context")
	}
	stmt, err := preparer.PrepareContext(ctx, r.Text)
	if err != nil {
		return nil, err
	}
	c.last++
	c.prepared[c.last] = stmt
	return &remotepb.PrepareReply{Prepared: c.last, Parameters: int64(stmt.NumInput())}, nil
}

// CloseStatement implements [remotepb.DatabaseServer].
func (s *server) CloseStatement(_ context.Context, r *remotepb.CloseStatementRequest) (*remotepb.CloseStatementReply, error) {
	c, err := s.session(r.Connection)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	stmt, ok := c.prepared[r.Prepared]
	if !ok {
		return nil, fmt.Errorf("remote: no statement %d", r.Prepared)
	}
	delete(c.prepared, r.Prepared)
	return &remotepb.CloseStatementReply{}, stmt.Close()
}

// Exec implements [remotepb.DatabaseServer].
func (s *server) Exec(ctx context.Context, r *remotepb.Statement) (*remotepb.ExecReply, error) {
	c, err := s.session(r.Connection)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	result, err := c.exec(ctx, r)
	if err != nil {
		return nil, err
	}
	id, err := result.LastInsertId()
	if err != nil {
		return nil, err
	}
	n, err := result.RowsAffected()
	return &remotepb.ExecReply{LastInsertId: id, RowsAffected: n}, err
}

func (c *session) exec(ctx context.Context, r *remotepb.Statement) (driver.Result, error) {
	if r.Prepared != 0 {
		if stmt, ok := c.prepared[r.Prepared].(driver.StmtExecContext); ok {
			return stmt.ExecContext(ctx, pullAll(r.Arguments))
		}
	} else if conn, ok := c.conn.(driver.ExecerContext); ok {
		return conn.ExecContext(ctx, r.Text, pullAll(r.Arguments))
	}
	return nil, errors.New("remote: no such statement, or the driver does not execute with a context")
}

func (c *session) query(ctx context.Context, r *remotepb.Statement) (driver.Rows, error) {
	if r.Prepared != 0 {
		if stmt, ok := c.prepared[r.Prepared].(driver.StmtQueryContext); ok {
			return stmt.QueryContext(ctx, pullAll(r.Arguments))
		}
	} else if conn, ok := c.conn.(driver.QueryerContext); ok {
		return conn.QueryContext(ctx, r.Text, pullAll(r.Arguments))
	}
	return nil, errors.New("remote: no such statement, or the driver does not query with a context")
}

// Query implements [remotepb.DatabaseServer].
func (s *server) Query(r *remotepb.Statement, stream grpc.ServerStreamingServer[remotepb.Rows]) error {
	c, err := s.session(r.Connection)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rows, err := c.query(stream.Context(), r)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns := rows.Columns()
	row := make([]driver.Value, len(columns))
	batch := &remotepb.Rows{Columns: columns}
	for {
		if err := fill(batch, rows, row); err != nil {
			return err
		}
		if err := stream.Send(batch); err != nil || batch.Last {
			return err
		}
		batch = &remotepb.Rows{}
	}
}

// fill reads rows until a message is full or there are no more.
func fill(batch *remotepb.Rows, rows driver.Rows, row []driver.Value) error {
	batch.Values = &remotepb.Values{}
	for n := 0; n < batchRows && len(batch.Values.Kinds) < batchValues; n++ {
		err := rows.Next(row)
		if err == io.EOF {
			batch.Last = true
			return nil
		}
		if err != nil {
			return err
		}
		for _, v := range row {
			if err := push(batch.Values, v); err != nil {
				return err
			}
		}
	}
	return nil
}
