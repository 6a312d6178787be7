package dbserver

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// mariadbDirs are where MariaDB's programs are, if not in PATH, which often
// lacks sbin for users who are not root.
var mariadbDirs = []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/libexec"}

func mariadbPlan() (plan, error) {
	server := findMariaDB("mariadbd", "mysqld")
	install := findMariaDB("mariadb-install-db", "mysql_install_db")
	if server == "" || install == "" {
		return plan{}, fmt.Errorf("%w: no mariadbd and mariadb-install-db in PATH and %v; apt-get install mariadb-server", ErrMissing, mariadbDirs)
	}
	return plan{
		users:    []string{"mysql", "nobody"},
		describe: describeMariaDB,
		secret:   mariadbAccounts,
		init: func(s *Server) []string {
			return slices.Concat([]string{install}, mariadbOptions(s),
				// root of the database is who runs the server, and nobody over TCP.
				[]string{"--skip-test-db", "--auth-root-authentication-method=socket"})
		},
		server: func(s *Server) []string {
			return slices.Concat([]string{server}, mariadbOptions(s), []string{"--socket=" + s.Socket, "--bind-address=" + s.Host,
				"--port=" + strconv.Itoa(s.Port), "--pid-file=" + filepath.Join(s.dir, "pid"), "--init-file=" + filepath.Join(s.dir, secretFile),
				"--skip-log-bin", "--skip-name-resolve", "--performance-schema=OFF"})
		},
		signal: "KILL", // it is one process, and its data go away
		greets: mariadbGreets,
	}, nil
}

// findMariaDB returns the path of the first program there is, "" if none.
func findMariaDB(names ...string) string {
	for _, name := range names {
		for _, dir := range slices.Concat(filepath.SplitList(os.Getenv("PATH")), mariadbDirs) {
			if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(file) {
				return file
			}
		}
	}
	return ""
}

// mariadbOptions are for making the data and for serving them.
func mariadbOptions(s *Server) []string {
	return []string{"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--tmpdir=" + s.dir,
		"--character-set-server=utf8mb4", "--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0",
		"--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--innodb-doublewrite=OFF"}
}

func describeMariaDB(s *Server) {
	s.Database = "keyway"
	s.Socket = filepath.Join(s.dir, "socket")
	dsn := func(address string) string { return s.User + ":" + s.Password + "@" + address + "/" + s.Database }
	s.DSN = dsn("tcp(" + net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) + ")")
	s.SocketDSN = dsn("unix(" + s.Socket + ")")
}

// mariadbAccounts is SQL that the server runs before it accepts connections.
// An init file has a statement on each line.
func mariadbAccounts(s *Server) string {
	text := "CREATE DATABASE " + s.Database + ";\n"
	for _, host := range []string{"localhost", s.Host} {
		text += fmt.Sprintf("CREATE USER '%s'@'%s' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%[1]s'@'%[2]s' WITH GRANT OPTION;\n", s.User, host, s.Password)
	}
	return text
}

// mariadbGreets reads the server's first packet: three bytes of length, a
// number, and the version of the protocol.
func mariadbGreets(c net.Conn, _ *Server) bool {
	var packet [5]byte
	_, err := io.ReadFull(c, packet[:])
	return err == nil && packet[4] == 10
}
