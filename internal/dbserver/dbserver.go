// Package dbserver starts private database servers for tests, from the
// programs of Debian's packages postgresql and mariadb-server.
//
// A server lives in a temporary directory, answers on a Unix socket there and
// on a free port of 127.0.0.1, and never runs as root. It ends, and its
// directory goes away, with [Server.Stop] or with the process that started it,
// however that ends: a guard watches it (see guard.go). It is tuned for speed
// and would lose data in a crash of the machine.
//
// This is a module of its own, so that the tests of drivers can have it
// without anything else. The command withdb is for people.
package dbserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Product is a kind of database server.
type Product string

// The products.
const (
	Postgres Product = "postgres"
	MariaDB  Product = "mariadb"
)

// ErrMissing is what [Start] returns, wrapped in a text that says what to
// install, where the programs of a product are not installed.
var ErrMissing = errors.New("a database server is not installed")

// startTime is how long a start may take. A good one takes a second or two.
const startTime = time.Minute

// Server is a running database server. Its fields are not to be changed. It is
// safe for concurrent use.
type Server struct {
	// Product is what the server is.
	Product Product
	// DSN connects over TCP with the password, as the Go driver for the
	// product wants it: pgx a URL, go-sql-driver/mysql its own form. There
	// is no TLS.
	DSN string
	// SocketDSN connects through Socket: to PostgreSQL as key=value pairs
	// without a password, which nobody is asked for there, to MariaDB in
	// the form of DSN with the password.
	SocketDSN string
	// Socket is the path of the Unix socket. Only root and the user as whom
	// the server runs reach it.
	Socket string
	// Host is "127.0.0.1".
	Host string
	// Port is the number of the TCP port.
	Port int
	// User is the account to use, which may do everything.
	User string
	// Password is the account's. It contains characters that have a meaning
	// in DSNs.
	Password string
	// Database is the database of both DSNs. It has no tables.
	Database string

	dir   string
	guard *guard
	stop  func() error
}

// Start starts a server and returns when it accepts connections. ctx ends the
// wait, not the server. Who does not call Stop leaves that to the end of the
// process.
//
// An error wraps [ErrMissing], or ends with what the server last logged.
func Start(ctx context.Context, p Product) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s, err := start(ctx, p, port)
		// Somebody else may have taken the port in between.
		if attempt == 3 || !portTaken(err) {
			return s, err
		}
	}
}

// portTaken tells whether a start failed because of its port, by the server's
// log.
func portTaken(err error) bool {
	return err != nil && strings.Contains(strings.ToLower(err.Error()), "address already in use")
}

func start(ctx context.Context, p Product, port int) (*Server, error) {
	plan, err := planFor(p)
	if err != nil {
		return nil, err
	}
	parent, account, err := placeFor(plan.users)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	dir := filepath.Join(parent, "keyway-"+string(p)+"-"+rand.Text()[:8])
	s := &Server{Product: p, Host: "127.0.0.1", Port: port, User: "keyway", Password: "p@ss/word:" + rand.Text(), dir: dir}
	plan.describe(s)
	s.guard, err = plan.launch(s, account)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	s.stop = sync.OnceValue(func() error { return s.guard.end(dir) })
	if err := s.guard.ready(ctx, func(ctx context.Context) bool { return plan.answers(ctx, s) }); err != nil {
		err = fmt.Errorf("%s did not start: %w%s", p, err, logTail(dir))
		return nil, errors.Join(err, s.stop())
	}
	if err := os.Remove(filepath.Join(dir, secretFile)); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// Stop ends the server, without regard for its clients, and removes its
// directory. Later calls return what the first did.
func (s *Server) Stop() error { return s.stop() }

// TB is the part of testing.TB that this package needs, so that programs can
// import it without testing.
type TB interface {
	// These are what they are in testing.TB.
	Helper()
	Fatal(args ...any)
	Skip(args ...any)
}

var shared struct {
	sync.Mutex // protects following fields
	started    map[Product]func() (*Server, error)
}

// Shared returns the server of a product that all tests of this process share.
// It is started by the first who asks, and ends with the process. The test is
// skipped, and says what to install, where the product is missing.
func Shared(t TB, p Product) *Server {
	t.Helper()
	shared.Lock()
	start := shared.started[p]
	if start == nil {
		start = sync.OnceValues(func() (*Server, error) { return Start(context.Background(), p) })
		if shared.started == nil {
			shared.started = map[Product]func() (*Server, error){}
		}
		shared.started[p] = start
	}
	shared.Unlock()
	s, err := start()
	switch {
	case errors.Is(err, ErrMissing):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return s
}

// plan is how a product is started.
type plan struct {
	users    []string               // as whom to run when this process is root, the best first
	describe func(*Server)          // fills in the fields that depend on the product
	secret   func(*Server) string   // the text of secretFile, without empty lines
	init     func(*Server) []string // the command that makes the data
	server   func(*Server) []string // the command that is the server
	signal   string                 // ends the server and all of its processes at once
	greets   func(net.Conn, *Server) bool
}

func planFor(p Product) (plan, error) {
	switch p {
	case Postgres:
		return postgresPlan()
	case MariaDB:
		return mariadbPlan()
	}
	return plan{}, fmt.Errorf("there is no product %q; there are %s and %s", p, Postgres, MariaDB)
}

// answers tells whether the server speaks its protocol on its socket.
func (p plan) answers(ctx context.Context, s *Server) bool {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", s.Socket)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	return p.greets(c, s)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
