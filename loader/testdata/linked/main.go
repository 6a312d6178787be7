// Command linked has its only driver compiled in, and prints what a query
// answers. It needs neither cgo nor package plugin.
package main

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"os"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader"
)

const manifest = `{"name": "echo", "version": "1.0.0", "contract": {"name": "sql", "version": "^1.0"}}`

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if err := loader.Register("echo", func() contract.Driver { return echo{} }, manifest); err != nil {
		return err
	}
	ctx := context.Background()
	drivers, err := loader.New(loader.Config{})
	if err != nil {
		return err
	}
	defer drivers.Close()
	db, err := drivers.OpenDB(ctx, "echo", "dsn")
	if err != nil {
		return err
	}
	defer db.Close()
	var answer string
	if err := db.QueryRowContext(ctx, "hello").Scan(&answer); err != nil {
		return err
	}
	fmt.Println(answer)
	// A file is refused in words.
	_, err = drivers.LoadFile(ctx, os.Args[1])
	fmt.Println(err)
	// And so is a directory of them, at once.
	_, err = loader.New(loader.Config{Dirs: []string{"/drivers"}})
	fmt.Println(err)
	return nil
}

// echo is a driver whose queries return their own text.
type echo struct{}

func (echo) Name() string                                   { return "echo" }
func (echo) OpenConnector(string) (driver.Connector, error) { return echo{}, nil }
func (echo) Connect(context.Context) (driver.Conn, error)   { return echo{}, nil }
func (echo) Driver() driver.Driver                          { return nil }
func (echo) Prepare(query string) (driver.Stmt, error)      { return &text{query: query}, nil }
func (echo) Begin() (driver.Tx, error)                      { return nil, driver.ErrSkip }
func (echo) Close() error                                   { return nil }

type text struct {
	query string
	done  bool
}

func (*text) Close() error                                { return nil }
func (*text) NumInput() int                               { return 0 }
func (*text) Exec([]driver.Value) (driver.Result, error)  { return driver.ResultNoRows, nil }
func (t *text) Query([]driver.Value) (driver.Rows, error) { return t, nil }
func (*text) Columns() []string                           { return []string{"text"} }
func (t *text) Next(dest []driver.Value) error {
	if t.done {
		return io.EOF
	}
	t.done = true
	dest[0] = t.query
	return nil
}
