package mysql

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	upstream "github.com/go-sql-driver/mysql"
	"github.com/keyway-go/keyway/contract"
)

var schema = []string{
	"CREATE DATABASE keyway_errors",
	"USE keyway_errors",
	"CREATE TABLE p(id INT PRIMARY KEY, u VARCHAR(9) UNIQUE, n INT NOT NULL, c INT CHECK (c > 0), t TINYINT) ENGINE=InnoDB",
	"CREATE TABLE f(p INT REFERENCES p(id)) ENGINE=InnoDB",
	"CREATE TABLE m(id INT) ENGINE=MEMORY MAX_ROWS=1",
	"CREATE VIEW v AS SELECT id FROM p WHERE id < 10 WITH CHECK OPTION",
	"CREATE VIEW g AS SELECT COUNT(*) AS n FROM p",
	"CREATE INDEX i ON p(c)",
	"CREATE FUNCTION one() RETURNS INT RETURN 1",
	"CREATE TRIGGER tr BEFORE DELETE ON f FOR EACH ROW SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = 'no'",
	"INSERT INTO p(id, u, n) VALUES(1, 'one', 1), (2, 'two', 2)",
	"INSERT INTO f VALUES(1)",
}

// TestErrorsOfStatements provokes each error, and looks at it bare and wrapped.
func TestErrorsOfStatements(t *testing.T) {
	db := open(t, server(t).DSN+"?multiStatements=true")
	for _, query := range schema {
		mustExec(t, db, query)
	}
	defer mustExec(t, db, "DROP DATABASE keyway_errors")
	tests := []struct {
		query, state string
		code         contract.Code
	}{
		{"INSERT INTO p(id, n) VALUES(1, 1)", "23505", contract.UniqueViolation},
		{"INSERT INTO p(id, u, n) VALUES(3, 'one', 1)", "23505", contract.UniqueViolation},
		{"INSERT INTO f VALUES(99)", "23503", contract.ForeignKeyViolation},
		{"DELETE FROM p WHERE id = 1", "23503", contract.ForeignKeyViolation},
		{"TRUNCATE TABLE p", "23503", contract.ForeignKeyViolation},
		{"DROP TABLE p", "23503", contract.ForeignKeyViolation},
		{"INSERT INTO p(id, n) VALUES(3, NULL)", "23502", contract.NotNullViolation},
		{"INSERT INTO p(id) VALUES(3)", "23502", contract.NotNullViolation},
		{"INSERT INTO p(id, n, c) VALUES(3, 1, 0)", "23514", contract.CheckViolation},
		{"UPDATE v SET id = 11 WHERE id = 2", "44000", contract.CheckViolation},
		{"DELETE FROM f", "23000", contract.ConstraintViolation},

		{"INSERT INTO p(id, n, u) VALUES(3, 1, 'too long for it')", "22001", contract.InvalidData},
		{"INSERT INTO p(id, n, t) VALUES(3, 1, 300)", "22003", contract.InvalidData},
		{"INSERT INTO p(id, n, t) VALUES(3, 1, 'x')", "22018", contract.InvalidData},
		{"INSERT INTO p(id, n, t) VALUES(3, 1, '1x')", "22018", contract.InvalidData},
		{"INSERT INTO p(id, n) VALUES(3, 1 / 0)", "22012", contract.InvalidData},
		{"SELECT 9223372036854775807 + 1", "22003", contract.InvalidData},
		{"SELECT 1 = (SELECT id FROM p)", "21000", contract.InvalidData},
		{"SET @@time_zone = 'No/Zone'", "22023", contract.InvalidData},

		{"SELEC 1", "42000", contract.Syntax},
		{"SELECT * FROM p GROUP BY", "42000", contract.Syntax},
		{"INSERT INTO p VALUES(1)", "42601", contract.Syntax},
		{"SELECT 1 UNION SELECT 1, 2", "42601", contract.Syntax},
		{"SELECT (SELECT 1, 2)", "42601", contract.Syntax},
		{"SELECT id FROM p AS x, p AS y", "42702", contract.Syntax},
		{"SELECT 1 FROM p WHERE COUNT(*) > 0", "42803", contract.Syntax},
		{"INSERT INTO g VALUES(1)", "42809", contract.Syntax},
		{"UPDATE g SET n = 1", "42809", contract.Syntax},
		{"CREATE TABLE z(a INT, FOREIGN KEY (a) REFERENCES p(n))", "42830", contract.Syntax},

		{"SELECT * FROM missing", "42S02", contract.UndefinedObject},
		{"DROP TABLE missing", "42S02", contract.UndefinedObject},
		{"SELECT missing FROM p", "42S22", contract.UndefinedObject},
		{"CREATE INDEX j ON p(missing)", "42703", contract.UndefinedObject},
		{"SELECT missing()", "42883", contract.UndefinedObject},
		{"SELECT ABS(1, 2)", "42883", contract.UndefinedObject},
		{"CALL missing()", "42883", contract.UndefinedObject},
		{"DROP INDEX missing ON p", "42704", contract.UndefinedObject},
		{"DROP TRIGGER missing", "42704", contract.UndefinedObject},
		{"SELECT * FROM p USE INDEX (missing)", "42704", contract.UndefinedObject},
		{"SELECT _utf8mb4 'a' COLLATE missing", "42704", contract.UndefinedObject},
		{"CREATE TABLE z(a TEXT) CHARACTER SET missing", "42704", contract.UndefinedObject},
		{"SET @@missing = 1", "42704", contract.UndefinedObject},
		{"KILL 4294967", "42704", contract.UndefinedObject},
		{"USE missing", "3D000", contract.UndefinedObject},
		{"DROP DATABASE missing", "3D000", contract.UndefinedObject},
		{"EXECUTE missing", "26000", contract.UndefinedObject},
		{"ROLLBACK TO missing", "3B001", contract.TransactionState},

		{"CREATE TABLE p(a INT)", "42S01", contract.DuplicateObject},
		{"CREATE DATABASE keyway_errors", "42P04", contract.DuplicateObject},
		{"CREATE INDEX i ON p(n)", "42710", contract.DuplicateObject},
		{"CREATE TRIGGER tr BEFORE DELETE ON f FOR EACH ROW SET @a = 1", "42710", contract.DuplicateObject},
		{"CREATE FUNCTION one() RETURNS INT RETURN 2", "42723", contract.DuplicateObject},
		{"CREATE TABLE z(a INT, a INT)", "42701", contract.DuplicateObject},
		{"INSERT INTO p(id, id) VALUES(1, 1)", "42701", contract.DuplicateObject},
		{"SELECT 1 FROM p, p", "42712", contract.DuplicateObject},

		{"BEGIN; SET TRANSACTION READ ONLY", "25001", contract.TransactionState},
		{"ROLLBACK; START TRANSACTION READ ONLY; DELETE FROM f", "25006", contract.ReadOnly},
		{"ROLLBACK; LOCK TABLES p READ; INSERT INTO p(id, n) VALUES(9, 9)", "HY000", contract.Unknown},
		{"UNLOCK TABLES; SET STATEMENT max_statement_time = 0.05 FOR SELECT SLEEP(30) FROM p", "57014", contract.Canceled},
		{"KILL QUERY CONNECTION_ID()", "57014", contract.Canceled},
		{"SET @@max_heap_table_size = 16384; CREATE TEMPORARY TABLE h(a CHAR(200)) ENGINE=MEMORY; " +
			"INSERT INTO h SELECT REPEAT('x', 200) FROM seq_1_to_1000", "53100", contract.Resources},
		{"CREATE TABLE z(a VARCHAR(15000), b VARCHAR(15000), c VARCHAR(15000)) CHARACTER SET utf8mb4", "54000", contract.Resources},
		{"PREPARE s FROM 'PREPARE x FROM ''SELECT 1'''", "0A000", contract.NotSupported},
		{"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ours'", "45000", contract.Unknown},
	}
	d := NewDriver()
	for _, tt := range tests {
		_, err := db.Exec(tt.query)
		if err == nil {
			t.Errorf("%s: no error", tt.query)
			continue
		}
		for _, err := range []error{err, fmt.Errorf("wrapped: %w", err)} {
			if got := contract.SQLStateOf(d, err); got != tt.state {
				t.Errorf("%s: SQLSTATE %q, want %q: %v", tt.query, got, tt.state, err)
			}
			if got := contract.CodeOf(d, err); got != tt.code {
				t.Errorf("%s: code %s, want %s: %v", tt.query, got, tt.code, err)
			}
		}
	}
}

// TestErrorsOfAccounts has what an account may not do.
func TestErrorsOfAccounts(t *testing.T) {
	s := server(t)
	admin := open(t, s.DSN)
	mustExec(t, admin, "FLUSH USER_RESOURCES") // of an earlier run
	mustExec(t, admin, "CREATE USER keyway_weak@'%' IDENTIFIED BY 'pw' WITH MAX_QUERIES_PER_HOUR 16")
	defer mustExec(t, admin, "DROP USER keyway_weak@'%'")
	mustExec(t, admin, "CREATE TABLE keyway_other(a INT, b INT)")
	defer mustExec(t, admin, "DROP TABLE keyway_other")
	mustExec(t, admin, "GRANT SELECT (a) ON keyway_other TO keyway_weak@'%'")
	mustExec(t, admin, "CREATE PROCEDURE keyway_proc() SELECT 1")
	defer mustExec(t, admin, "DROP PROCEDURE keyway_proc")

	d, db := NewDriver(), open(t, fmt.Sprintf("keyway_weak:pw@tcp(%s:%d)/%s?time_zone=DEFAULT", s.Host, s.Port, s.Database))
	check := func(query, state string, code contract.Code) {
		t.Helper()
		_, err := db.Exec(query)
		if contract.SQLStateOf(d, err) != state || contract.CodeOf(d, err) != code {
			t.Errorf("%s: SQLSTATE %q, want %q: %v", query, contract.SQLStateOf(d, err), state, err)
		}
	}
	check("DELETE FROM keyway_other", "42501", contract.Permission)
	check("SELECT b FROM keyway_other", "42501", contract.Permission)
	check("USE mysql", "42501", contract.Permission)
	check("CALL keyway_proc()", "42501", contract.Permission)
	check("SET GLOBAL max_connections = 1", "42501", contract.Permission)
	check("CREATE USER x@y", "42501", contract.Permission)
	var err error
	for range 20 {
		if _, err = db.Exec("DO 1"); err != nil {
			break
		}
	}
	if contract.CodeOf(d, err) != contract.Resources {
		t.Errorf("more queries than are allowed: %s: %v", contract.SQLStateOf(d, err), err)
	}
}

// TestErrorsOfLocks: waiting too long, not waiting, and waiting for each other.
func TestErrorsOfLocks(t *testing.T) {
	s := server(t)
	d, admin := NewDriver(), open(t, s.DSN)
	mustExec(t, admin, "CREATE TABLE keyway_locks(id INT PRIMARY KEY, v INT) ENGINE=InnoDB")
	defer mustExec(t, admin, "DROP TABLE keyway_locks")
	mustExec(t, admin, "INSERT INTO keyway_locks VALUES(1, 0), (2, 0)")
	begin := func() *sql.Tx {
		tx, err := open(t, s.DSN+"?innodb_lock_wait_timeout=1").BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	update := func(tx *sql.Tx, id int) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE keyway_locks SET v = v + 1 WHERE id = ?", id)
		return err
	}
	a, b := begin(), begin()
	defer a.Rollback()
	defer b.Rollback()
	if err := errors.Join(update(a, 1), update(b, 2)); err != nil {
		t.Fatal(err)
	}
	_, err := b.Exec("SELECT * FROM keyway_locks WHERE id = 1 FOR UPDATE NOWAIT")
	if got := contract.CodeOf(d, err); got != contract.LockTimeout {
		t.Errorf("NOWAIT: %s: %v", got, err)
	}
	err = update(b, 1)
	if got := contract.CodeOf(d, err); got != contract.LockTimeout {
		t.Errorf("a second of waiting: %s: %v", got, err)
	}
	waits := make(chan error, 1)
	go func() { waits <- update(a, 2) }()
	var deadlock error
	for deadlock == nil { // until a waits for b
		deadlock = update(b, 1)
		select {
		case other := <-waits:
			if deadlock == nil {
				deadlock = other
			}
		default:
		}
	}
	if got := contract.SQLStateOf(d, deadlock); got != "40P01" || contract.CodeOf(d, deadlock) != contract.Deadlock {
		t.Errorf("SQLSTATE %q: %v", got, deadlock)
	}
}

// TestErrorsOfLostConnections: what had been sent is not sent again.
func TestErrorsOfLostConnections(t *testing.T) {
	d := NewDriver()
	c, err := d.OpenConnector(server(t).DSN)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := c.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exec := func(query string) error {
		_, err := conn.(driver.ExecerContext).ExecContext(t.Context(), query, nil)
		return err
	}
	killed := exec("KILL CONNECTION_ID()")
	lost := exec("DO 1")
	closed := exec("DO 1")
	for want, err := range map[string]error{"57P01": killed, connectionLost: lost} {
		if got := contract.SQLStateOf(d, err); got != want || contract.CodeOf(d, err) != contract.Connection {
			t.Errorf("SQLSTATE %q, want %q: %v", got, want, err)
		}
	}
	if !errors.Is(closed, driver.ErrBadConn) || contract.CodeOf(d, closed) != contract.Connection {
		t.Errorf("on the closed connection: %v", closed)
	}
}

func TestOtherErrors(t *testing.T) {
	c := NewDriver().(contract.Classifier)
	_, refused := net.Dial("tcp", "127.0.0.1:1")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("Error 1062: Duplicate entry"), ""},
		{os.ErrNotExist, ""},
		{context.Canceled, ""},
		{fmt.Errorf("%w: %w", context.DeadlineExceeded, upstream.ErrInvalidConn), ""},
		{refused, "08001"},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, "08006"},
		{&tls.CertificateVerificationError{Err: errors.New("unknown authority")}, "08001"},
		{upstream.ErrPktTooLarge, "54000"},
		{upstream.ErrNativePassword, "28000"},
	} {
		if got := c.SQLState(tt.err); got != tt.want {
			t.Errorf("%v has the SQLSTATE %q, want %q", tt.err, got, tt.want)
		}
	}
}

// TestNumbers has what is hard to provoke, or an error of MySQL's alone.
func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		number  uint16
		sent    string
		message string
		want    contract.Code
	}{
		{3819, "HY000", "Check constraint 'c' is violated.", contract.CheckViolation},
		{4025, "23000", "CONSTRAINT `c` failed for `d`.`t`", contract.CheckViolation},
		{1369, "HY000", "CHECK OPTION failed `d`.`v`", contract.CheckViolation},
		{4025, "HY000", "another error, of MySQL", contract.Unknown},
		{3024, "HY000", "maximum statement execution time exceeded", contract.Canceled},
		{3572, "HY000", "NOWAIT is set", contract.LockTimeout},
		{1290, "HY000", "The MySQL server is running with the --read-only option", contract.ReadOnly},
		{1290, "HY000", "running with the --super-read-only option", contract.ReadOnly},
		{1290, "HY000", "running with the --secure-file-priv option", contract.Unknown},
		{1836, "HY000", "", contract.ReadOnly},
		{1053, "08S01", "", contract.Connection},
		{1040, "08004", "Too many connections", contract.Resources},
		{1021, "HY000", "Disk full", contract.Resources},
		{1030, "HY000", `Got error 28 "No space left on device" from storage engine InnoDB`, contract.Resources},
		{1030, "HY000", `Got error 128 "x" from storage engine InnoDB`, contract.Unknown},
		{1213, "40001", "", contract.Deadlock},
		{1062, "23000", "Duplicate entry 'read-only' for key 'SAVEPOINT  150 '", contract.UniqueViolation},
		{1045, "28000", "Access denied", contract.Permission},
		{1792, "25006", "in a READ ONLY transaction", contract.ReadOnly},
		{9999, "40001", "of a state that is known", contract.SerializationFailure},
		{9999, "", "without a state", contract.Unknown},
	} {
		e := &upstream.MySQLError{Number: tt.number, Message: tt.message}
		copy(e.SQLState[:], tt.sent)
		if got := contract.CodeOf(NewDriver(), e); got != tt.want {
			t.Errorf("%v: %s, want %s", e, got, tt.want)
		}
		if got := contract.SQLStateOf(NewDriver(), e); len(got) != 5 && got != tt.sent || strings.Contains(got, "\x00") {
			t.Errorf("%v: SQLSTATE %q", e, got)
		}
	}
	for number, state := range states {
		if len(state) != 5 || contract.CodeOfState(state) == contract.Unknown {
			t.Errorf("%d: %q says nothing", number, state)
		}
	}
}
