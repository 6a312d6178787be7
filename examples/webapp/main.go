// Command webapp is a small HTTP service, for notes in a database, that takes up
// a new version of its driver while it serves. Put a driver file of a higher
// version into the directory, by renaming, and look at /drivers.
//
//	webapp --drivers /usr/lib/webapp/drivers sqlite 'file:notes.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)'
//	webapp --drivers /usr/lib/webapp/drivers postgres "$DSN"
//
//	curl -d 'buy milk' http://127.0.0.1:8080/notes
//	curl http://127.0.0.1:8080/notes
//	curl http://127.0.0.1:8080/drivers
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/keyway-go/keyway/loader"
	// With it a driver file that crashes when it is loaded changes nothing.
	_ "github.com/keyway-go/keyway/loader/probe"
)

// shutdownTime is how long requests, and then connections, have to come to an
// end.
const shutdownTime = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(2)
	}
	o.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := serve(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
}

type options struct {
	drivers     string // a directory
	driver, dsn string
	listen      string
	log         *slog.Logger
	// listening, if not nil, is told the address once requests are served.
	listening func(net.Addr)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("webapp", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "Usage: webapp --drivers DIR [flags] DRIVER DSN\n\n"+
			"Example: webapp --drivers ./drivers sqlite file:notes.db\n\n")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.drivers, "drivers", "", "the `directory` of driver files, which is watched")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "the `address` to serve at")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() != 2 || o.drivers == "" {
		return o, errors.New("wanted --drivers DIR, a driver's name and a DSN; see webapp --help")
	}
	o.driver, o.dsn = flags.Arg(0), flags.Arg(1)
	var err error
	o.drivers, err = filepath.Abs(o.drivers)
	return o, err
}

// serve serves until ctx ends, and then ends what it has begun: requests first,
// then connections, and last the drivers.
func serve(ctx context.Context, o options) (err error) {
	drivers, err := loader.New(loader.Config{Dirs: []string{o.drivers}, Probe: true, Logger: o.log})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, drivers.Close())
		drained, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		err = errors.Join(err, drivers.Drain(drained))
	}()
	db, err := drivers.OpenDB(ctx, o.driver, o.dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	app, err := newService(ctx, drivers, db, o)
	if err != nil {
		return err
	}
	defer watch(ctx, drivers)()
	return serveHTTP(ctx, app.handler(), o)
}

// watch takes up new versions until ctx ends or the function that it returns is
// called, which waits for the end.
func watch(ctx context.Context, drivers *loader.SQL) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = drivers.Watch(ctx) // until ctx ends; what fails meanwhile is in the log
	}()
	return func() {
		cancel()
		<-done
	}
}

func serveHTTP(ctx context.Context, h http.Handler, o options) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	o.log.Info("listening", "url", "http://"+listener.Addr().String())
	if o.listening != nil {
		o.listening(listener.Addr())
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return server.Shutdown(ending)
}

// newService makes the table if there is none.
func newService(ctx context.Context, drivers *loader.SQL, db *sql.DB, o options) (*service, error) {
	// In words that every database has.
	const table = `CREATE TABLE IF NOT EXISTS notes (
		id      VARCHAR(26) PRIMARY KEY,
		body    TEXT NOT NULL,
		created VARCHAR(40) NOT NULL)`
	if _, err := db.ExecContext(ctx, table); err != nil {
		return nil, fmt.Errorf("make the table of notes: %w", err)
	}
	d, err := drivers.Load(ctx, o.driver)
	if err != nil {
		return nil, err
	}
	return &service{drivers: drivers, db: db, log: o.log, placeholder: placeholderOf(d.Value)}, nil
}
