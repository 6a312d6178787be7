package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	upstream "github.com/go-sql-driver/mysql"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/dbserver"
)

func server(t *testing.T) *dbserver.Server { return dbserver.Shared(t, dbserver.MariaDB) }

// open has one connection, so that session state stays.
func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	c, err := NewDriver().OpenConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// number returns what a query gives.
func number(t *testing.T, db *sql.DB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// urls are the URLs that say what the server's DSNs say.
func urls(s *dbserver.Server) (tcp, socket string) {
	user := url.UserPassword(s.User, s.Password).String()
	return fmt.Sprintf("mysql://%s@%s:%d/%s", user, s.Host, s.Port, s.Database),
		fmt.Sprintf("mariadb://%s@/%s?socket=%s", user, s.Database, url.QueryEscape(s.Socket))
}

func TestConnects(t *testing.T) {
	s := server(t)
	tcp, socket := urls(s)
	for _, dsn := range []string{s.DSN, s.SocketDSN, tcp, socket, s.DSN + "?tls=preferred&compress=true&interpolateParams=true"} {
		db := open(t, dsn)
		var database, greeting string
		if err := db.QueryRow("SELECT DATABASE(), ?", "hello").Scan(&database, &greeting); err != nil || database != s.Database || greeting != "hello" {
			t.Errorf("%s: %q, %q, %v", NewDriver().(contract.DSNRedactor).RedactDSN(dsn), database, greeting, err)
		}
	}
}

// TestConnectErrors: the state tells why, and the password stays out.
func TestConnectErrors(t *testing.T) {
	s := server(t)
	tcp, socket := urls(s)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close() // so that nobody listens there
	const wrong = "wr@ng/password"
	for _, tt := range []struct {
		name, dsn, state string
		code             contract.Code
	}{
		{"wrong password over TCP", strings.Replace(s.DSN, s.Password, wrong, 1), "28000", contract.Permission},
		{"wrong password on the socket", strings.Replace(s.SocketDSN, s.Password, wrong, 1), "28000", contract.Permission},
		{"wrong password in a URL", strings.Replace(tcp, url.QueryEscape(s.Password), url.QueryEscape(wrong), 1), "28000", contract.Permission},
		{"no password", strings.Replace(s.DSN, ":"+s.Password, "", 1), "28000", contract.Permission},
		{"unknown database", strings.TrimSuffix(tcp, s.Database) + "missing", "3D000", contract.UndefinedObject},
		{"nobody listens", strings.Replace(s.DSN, fmt.Sprintf("%s:%d", s.Host, s.Port), free.Addr().String(), 1), "08001", contract.Connection},
		{"no socket", strings.Replace(socket, url.QueryEscape(s.Socket), url.QueryEscape(s.Socket+"x"), 1), "08001", contract.Connection},
		{"no TLS", s.DSN + "?tls=true", "08001", contract.Connection},
		{"unknown variable", s.DSN + "?no_such_variable=1", "42704", contract.UndefinedObject},
		{"wrong value", s.DSN + "?lock_wait_timeout='soon'", "42000", contract.Syntax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDriver()
			c, err := d.OpenConnector(tt.dsn)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Connect(t.Context())
			if got := contract.SQLStateOf(d, err); got != tt.state {
				t.Errorf("SQLSTATE %q, want %q: %v", got, tt.state, err)
			}
			if got := contract.CodeOf(d, err); got != tt.code {
				t.Errorf("code %s, want %s: %v", got, tt.code, err)
			}
			if err != nil && (strings.Contains(err.Error(), s.Password) || strings.Contains(err.Error(), wrong)) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

// TestConnectErrorIsMended has what a server does seldom.
func TestConnectErrorIsMended(t *testing.T) {
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for _, tt := range []struct {
		ctx  context.Context
		err  error
		want contract.Code
	}{
		{t.Context(), driver.ErrBadConn, contract.Connection},
		{t.Context(), fmt.Errorf("dialing: %w", context.DeadlineExceeded), contract.Connection},
		{ended, fmt.Errorf("dialing: %w", context.DeadlineExceeded), contract.Canceled},
		{t.Context(), upstream.ErrOldPassword, contract.Permission},
	} {
		err := connectError(tt.ctx, tt.err)
		if got := contract.CodeOf(NewDriver(), err); got != tt.want || errors.Is(err, driver.ErrBadConn) {
			t.Errorf("%v became %v, which is %s, want %s", tt.err, err, got, tt.want)
		}
	}
}

// TestDSNTimeout: a timeout that has passed before the call of connect stands for
// a host that does not answer.
func TestDSNTimeout(t *testing.T) {
	d := NewDriver()
	c, err := d.OpenConnector("tcp(192.0.2.1:3306)/?timeout=1ns")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Connect(t.Context())
	if got := contract.CodeOf(d, err); got != contract.Connection {
		t.Errorf("code %s: %v", got, err)
	}
}

// TestOpenGivesUp on a server that says nothing, for which the DSN's timeout is
// not.
func TestOpenGivesUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	d := NewDriver().(*mysqlDriver)
	if d.openLimit != time.Minute {
		t.Errorf("Open has %v", d.openLimit)
	}
	d.openLimit = 50 * time.Millisecond
	opened := make(chan error, 1)
	go func() {
		_, err := d.Open(fmt.Sprintf("u:s3cret@tcp(%s)/?timeout=20ms", silent.Addr()))
		opened <- err
	}()
	select {
	case err := <-opened:
		if contract.CodeOf(d, err) != contract.Connection || !strings.Contains(err.Error(), "50ms") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", contract.CodeOf(d, err), err)
		}
	case <-time.After(30 * time.Second):
		t.Error("Open waits")
	}
}

func TestConnectHeedsContext(t *testing.T) {
	s := server(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, err := NewDriver().OpenConnector(s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Connect(ctx); !errors.Is(err, context.Canceled) || contract.CodeOf(NewDriver(), err) != contract.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestDriverOfConnector(t *testing.T) {
	s := server(t)
	d := NewDriver()
	c, err := d.OpenConnector(s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	if c.Driver() != driver.Driver(d.(*mysqlDriver)) {
		t.Errorf("Driver is %v", c.Driver())
	}
	tcp, _ := urls(s)
	conn, err := c.Driver().Open(tcp) // a URL, which upstream's own Open does not take
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(driver.Pinger).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Driver().Open("mysql://%zz"); err == nil || !strings.Contains(err.Error(), "wrong DSN") {
		t.Errorf("Open checks nothing: %v", err)
	}
}

// TestInstants: what a TIMESTAMP holds is the instant that was written, on a
// server in another zone too, and reads back as a time.Time.
func TestInstants(t *testing.T) {
	s := server(t)
	admin := open(t, s.DSN)
	mustExec(t, admin, "SET GLOBAL time_zone = '+05:45'")
	defer mustExec(t, admin, "SET GLOBAL time_zone = 'SYSTEM'")
	at := time.Date(2024, 3, 31, 2, 30, 0, 123456000, time.FixedZone("", -7*3600))
	for _, tt := range []struct {
		params string
		unix   int64 // what the server makes of it
	}{
		{"", at.Unix()},
		{"?loc=UTC", at.Unix()},
		{"?loc=Asia%2FKathmandu", at.Unix()}, // the zone of the server
		{"?time_zone='%2B01:00'", at.Unix() - 3600},
	} {
		db := open(t, s.DSN+tt.params)
		mustExec(t, db, "CREATE TEMPORARY TABLE keyway_t(t TIMESTAMP(6) NULL, d DATE)")
		mustExec(t, db, "INSERT INTO keyway_t VALUES(?, ?)", at, time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC))
		if got := number(t, db, "SELECT FLOOR(UNIX_TIMESTAMP(t)) FROM keyway_t"); got != tt.unix {
			t.Errorf("%s: the server has %v, want %v", tt.params, time.Unix(got, 0).UTC(), time.Unix(tt.unix, 0).UTC())
		}
		var back, day time.Time
		if err := db.QueryRow("SELECT t, d FROM keyway_t").Scan(&back, &day); err != nil || !back.Equal(at) {
			t.Errorf("%s: %v became %v, %v", tt.params, at, back, err)
		}
	}
	var text any
	if err := open(t, s.DSN+"?parseTime=false").QueryRow("SELECT CAST('2024-02-29' AS DATE)").Scan(&text); err != nil {
		t.Fatal(err)
	}
	if b, ok := text.([]byte); !ok || string(b) != "2024-02-29" {
		t.Errorf("parseTime=false: %T %v", text, text)
	}
}

func TestUnknownZone(t *testing.T) {
	c, err := NewDriver().OpenConnector("/?loc=No/Zone")
	if err == nil {
		t.Fatal("a raw slash is taken", c)
	}
	if c, err = NewDriver().OpenConnector(server(t).DSN + "?loc=No%2FZone"); err != nil {
		t.Fatal(err) // finding out would be I/O
	}
	if _, err := c.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "No/Zone") {
		t.Errorf("Connect: %v", err)
	}
}

// TestSessionVariables: they are set on every connection, the literal forms
// included.
func TestSessionVariables(t *testing.T) {
	db := open(t, server(t).DSN+"?lock_wait_timeout=7&sql_mode='ANSI,STRICT_ALL_TABLES'&tx_isolation='READ-COMMITTED'&autocommit=1&sql_warnings=on")
	var wait int
	var mode, isolation string
	err := db.QueryRow("SELECT @@lock_wait_timeout, @@sql_mode, @@tx_isolation").Scan(&wait, &mode, &isolation)
	if err != nil || wait != 7 || !strings.Contains(mode, "ANSI_QUOTES") || isolation != "READ-COMMITTED" {
		t.Errorf("%d, %q, %q, %v", wait, mode, isolation, err)
	}
}

// TestFewRows: see greeted. Each of these hung, prepared by database/sql or not.
func TestFewRows(t *testing.T) {
	s := server(t)
	for _, dsn := range []string{s.DSN, s.DSN + "?compress=true"} {
		db := open(t, dsn)
		mustExec(t, db, "CREATE TEMPORARY TABLE keyway_few(a int, b int, c int)")
		for rows := range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if _, err := db.ExecContext(ctx, "SELECT a, b, c FROM keyway_few WHERE a <> ?", 99); err != nil {
				t.Fatalf("%d rows: %v", rows, err)
			}
			if _, err := db.ExecContext(ctx, "INSERT INTO keyway_few VALUES(?, ?, ?) RETURNING a, b", rows, 2, 3); err != nil {
				t.Fatalf("RETURNING: %v", err)
			}
		}
		if n := number(t, db, "SELECT COUNT(*) FROM keyway_few"); n != 5 {
			t.Errorf("%d rows", n)
		}
	}
}

// TestLostIdleConnection: the pool notices, although the connection is not a
// *net.TCPConn to upstream.
func TestLostIdleConnection(t *testing.T) {
	s := server(t)
	other := open(t, s.DSN)
	for _, dsn := range []string{s.DSN, s.SocketDSN} {
		db := open(t, dsn)
		id := number(t, db, "SELECT CONNECTION_ID()")
		if again := number(t, db, "SELECT CONNECTION_ID()"); again != id {
			t.Error("the pool gave up a connection in order")
		}
		mustExec(t, other, fmt.Sprintf("KILL %d", id))
		time.Sleep(50 * time.Millisecond) // for the server to close it
		if again := number(t, db, "SELECT CONNECTION_ID()"); again == id {
			t.Error("the connection was not killed")
		}
	}
}

func TestCancel(t *testing.T) {
	d, db := NewDriver(), open(t, server(t).DSN)
	before := number(t, db, "SELECT CONNECTION_ID()")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, canceled := db.ExecContext(ctx, "DO SLEEP(60)")
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, late := db.ExecContext(ctx, "DO SLEEP(?)", 60)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	for want, err := range map[error]error{context.Canceled: canceled, context.DeadlineExceeded: late} {
		if !errors.Is(err, want) || contract.SQLStateOf(d, err) != "" || contract.CodeOf(d, err) != contract.Canceled {
			t.Errorf("%v, SQLSTATE %q; want %v", err, contract.SQLStateOf(d, err), want)
		}
	}
	if after := number(t, db, "SELECT CONNECTION_ID()"); after == before {
		t.Error("the connection of a cancelled statement is used again")
	}
}

func TestConcurrentUse(t *testing.T) {
	s := server(t)
	d := NewDriver()
	shared, err := d.OpenConnector(s.SocketDSN)
	if err != nil {
		t.Fatal(err)
	}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			<-start
			d.(contract.LoggerSetter).SetLogger(slog.New(slog.DiscardHandler))
			own, err := d.OpenConnector(s.DSN + "?loc=Europe%2FBerlin")
			if err != nil {
				t.Error(err)
				return
			}
			for _, c := range []driver.Connector{shared, own} {
				conn, err := c.Connect(t.Context())
				if err != nil {
					t.Error(err)
					continue
				}
				if err := conn.(driver.Pinger).Ping(t.Context()); err != nil {
					t.Error(err)
				}
				conn.Close()
			}
			d.(contract.DSNRedactor).RedactDSN(s.DSN)
			d.(contract.Classifier).SQLState(err)
		})
	}
	close(start)
	wg.Wait()
}

func ExampleNewDriver() {
	dsn := os.Getenv("KEYWAY_MYSQL_DSN") // "mysql://app:secret@db.example.com/app"
	connector, err := NewDriver().OpenConnector(dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var sum int
	if err := db.QueryRow("SELECT 1 + ?", 41).Scan(&sum); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum)
}
