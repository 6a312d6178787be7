package dbserver

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// postgresDirs are where PostgreSQL's programs are, if not in PATH: Debian
// keeps those of every version in a directory called after its number.
var postgresDirs = "/usr/lib/postgresql/*/bin"

func postgresPlan() (plan, error) {
	bin, err := postgresBin()
	if err != nil {
		return plan{}, err
	}
	return plan{
		users:    []string{"postgres", "nobody"},
		describe: describePostgres,
		secret:   func(s *Server) string { return s.Password },
		init: func(s *Server) []string {
			return []string{filepath.Join(bin, "initdb"), "--pgdata=" + filepath.Join(s.dir, "data"), "--username=" + s.User,
				"--pwfile=" + filepath.Join(s.dir, secretFile), "--auth-local=trust", "--auth-host=scram-sha-256",
				"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"}
		},
		server: func(s *Server) []string { return postgresCommand(bin, s) },
		// SIGQUIT makes the postmaster end its processes, which are in
		// sessions of their own; it kills those that do not obey.
		signal: "QUIT",
		greets: postgresGreets,
	}, nil
}

// postgresBin finds the directory with initdb and postgres.
func postgresBin() (string, error) {
	dirs, err := filepath.Glob(postgresDirs)
	if err != nil {
		return "", err
	}
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range slices.Concat(filepath.SplitList(os.Getenv("PATH")), dirs) {
		initdb, err := exec.LookPath(filepath.Join(dir, "initdb"))
		if err != nil || !filepath.IsAbs(initdb) {
			continue
		}
		if _, err := exec.LookPath(filepath.Join(dir, "postgres")); err != nil {
			continue
		}
		return dir, nil
	}
	return "", fmt.Errorf("%w: no initdb and postgres in PATH and %s; apt-get install postgresql", ErrMissing, postgresDirs)
}

func describePostgres(s *Server) {
	s.Database = "postgres"
	s.Socket = filepath.Join(s.dir, ".s.PGSQL."+strconv.Itoa(s.Port))
	s.DSN = (&url.URL{Scheme: "postgres", User: url.UserPassword(s.User, s.Password),
		Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Path: "/" + s.Database, RawQuery: "sslmode=disable"}).String()
	s.SocketDSN = fmt.Sprintf("host=%s port=%d user=%s dbname=%s", s.dir, s.Port, s.User, s.Database)
}

func postgresCommand(bin string, s *Server) []string {
	command := []string{filepath.Join(bin, "postgres"), "-D", filepath.Join(s.dir, "data")}
	for _, setting := range []string{
		"listen_addresses=" + s.Host, "port=" + strconv.Itoa(s.Port), "unix_socket_directories=" + s.dir,
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
		"shared_buffers=16MB", "autovacuum=off", "jit=off", "max_connections=100",
		// Parallel workers would share memory outside of the directory.
		"dynamic_shared_memory_type=mmap",
	} {
		command = append(command, "-c", setting)
	}
	return command
}

// postgresGreets begins a session. A server that is ready asks for a password
// or says that none is wanted, both in a message of type R; one that is
// starting reports an error.
func postgresGreets(c net.Conn, s *Server) bool {
	const version3 = 3 << 16
	body := binary.BigEndian.AppendUint32(nil, version3)
	body = append(body, "user\x00"+s.User+"\x00database\x00"+s.Database+"\x00\x00"...)
	message := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
	if _, err := c.Write(append(message, body...)); err != nil {
		return false
	}
	var kind [1]byte
	n, _ := c.Read(kind[:])
	return n == 1 && kind[0] == 'R'
}
