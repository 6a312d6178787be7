package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/keyway-go/keyway/contract"
)

// rawConn closes the connection with the test.
func rawConn(t *testing.T) *conn {
	t.Helper()
	d, err := NewDriver().OpenConnector(server(t).DSN)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*conn)
}

func TestNestedTransaction(t *testing.T) {
	c, ctx := rawConn(t), context.Background()
	for range 2 {
		first, err := c.BeginTx(ctx, driver.TxOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Begin(); contract.CodeOf(NewDriver(), err) != contract.TransactionState {
			t.Errorf("a second transaction: %v", err)
		}
		if err := first.Commit(); err != nil {
			t.Error(err)
		}
		second, err := c.BeginTx(ctx, driver.TxOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Rollback(); err == nil {
			t.Error("a transaction ended twice")
		}
		if _, err := c.Begin(); err == nil {
			t.Error("who ended twice has made room for a second transaction")
		}
		if err := second.Rollback(); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.BeginTx(ctx, driver.TxOptions{Isolation: 99}); err == nil {
		t.Error("an isolation level that there is not")
	}
	if tx, err := c.BeginTx(ctx, driver.TxOptions{}); err != nil {
		t.Errorf("after one that did not begin: %v", err)
	} else if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

// TestTransactionBySQL leaves one open in many ways; the next user of the pool
// must be out of it. Who did nothing of the kind pays no round trip.
func TestTransactionBySQL(t *testing.T) {
	s := server(t)
	admin := open(t, s.DSN)
	mustExec(t, admin, "CREATE TABLE keyway_open(id INT) ENGINE=InnoDB")
	// Not before the connections that lock it are closed.
	t.Cleanup(func() { mustExec(t, admin, "DROP TABLE keyway_open") })
	mustExec(t, admin, "CREATE PROCEDURE keyway_opens() START TRANSACTION")
	defer mustExec(t, admin, "DROP PROCEDURE keyway_opens")
	ways := []struct{ params, queries string }{
		{"", "BEGIN"},
		{"", "start transaction"},
		{"", "/*!50000BEGIN*/ WORK"},
		{"", "CALL keyway_opens()"},
		{"", "SET autocommit=0"},
		{"", "EXECUTE IMMEDIATE 'begin work'"},
		{"", "EXECUTE IMMEDIATE CONCAT('be','gin')"},
		{"", "XA START 'keyway'"}, // which ROLLBACK does not end: the connection goes
		{"", "COMMIT AND CHAIN"},
		{"", "ROLLBACK AND CHAIN"},
		{"", "SET completion_type=1; COMMIT"},
		{"", "SET completion_type=1; BEGIN"}, // ROLLBACK alone would chain
		{"", "SET completion_type=1; tx"},
		{"?completion_type=1", "COMMIT"},
		{"?completion_type=1", "tx"},
		{"?autocommit=0", "DO 1"},
	}
	for _, way := range ways {
		db := open(t, s.DSN+way.params)
		leaveOpen(t, db, way.queries)
		if n := number(t, db, "SELECT COUNT(*) FROM keyway_open"); n != 0 {
			t.Errorf("%v: the next user of the connection sees %d rows", way, n)
		}
		if n := number(t, db, "SELECT @@in_transaction"); n != 0 && !strings.Contains(way.params, "autocommit") {
			t.Errorf("%v: the next user of the connection is in a transaction", way)
		}
	}

	mustExec(t, admin, "SET GLOBAL autocommit=0")
	defer mustExec(t, admin, "SET GLOBAL autocommit=1")
	db := open(t, s.DSN+"?loc=Europe%2FBerlin") // a zone for which no variable is set
	mustExec(t, db, "INSERT INTO keyway_open VALUES(1)")
	if n := number(t, db, "SELECT COUNT(*) FROM keyway_open"); n != 0 {
		t.Errorf("autocommit=0 of the server: the next user sees %d rows", n)
	}
}

// leaveOpen inserts a row after some queries; "tx" stands for a transaction.
func leaveOpen(t *testing.T, db *sql.DB, queries string) {
	t.Helper()
	user, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	for query := range strings.SplitSeq(queries+"; INSERT INTO keyway_open VALUES(1)", "; ") {
		if query != "tx" {
			_, err = user.ExecContext(t.Context(), query)
		} else if tx, begin := user.BeginTx(t.Context(), nil); begin != nil {
			err = begin
		} else {
			err = tx.Commit()
		}
		if err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestTransactionBeforeAnError: an error does not tell that a transaction is
// open, wherever it comes.
func TestTransactionBeforeAnError(t *testing.T) {
	s := server(t)
	admin := open(t, s.DSN)
	mustExec(t, admin, "CREATE TABLE keyway_failed(id INT) ENGINE=InnoDB")
	t.Cleanup(func() { mustExec(t, admin, "DROP TABLE keyway_failed") })
	mustExec(t, admin, "CREATE PROCEDURE keyway_fails(late INT) BEGIN IF late = 1 THEN SELECT 1; END IF; "+
		"START TRANSACTION; INSERT INTO keyway_failed VALUES(1); IF late = 2 THEN "+ // of which the second row is an error
		"SELECT (SELECT b.n FROM (SELECT 1 n UNION SELECT 2) b WHERE b.n <= a.n) FROM (SELECT 1 n UNION SELECT 2) a; "+
		"END IF; SIGNAL SQLSTATE '45000'; END")
	defer mustExec(t, admin, "DROP PROCEDURE keyway_fails")
	read := func(r *sql.Rows, err error) error {
		if err != nil {
			return err
		}
		defer r.Close()
		for r.Next() || r.NextResultSet() {
		}
		return r.Err()
	}
	for name, call := range map[string]func(db *sql.DB) error{
		"Exec":          func(db *sql.DB) error { _, err := db.Exec("CALL keyway_fails(0)"); return err },
		"Stmt.Exec":     func(db *sql.DB) error { _, err := db.Exec("CALL keyway_fails(?)", 0); return err },
		"Query":         func(db *sql.DB) error { return read(db.Query("CALL keyway_fails(0)")) },
		"Stmt.Query":    func(db *sql.DB) error { return read(db.Query("CALL keyway_fails(?)", 0)) },
		"NextResultSet": func(db *sql.DB) error { return read(db.Query("CALL keyway_fails(1)")) },
		"Next":          func(db *sql.DB) error { return read(db.Query("CALL keyway_fails(2)")) },
		"Stmt.Next":     func(db *sql.DB) error { return read(db.Query("CALL keyway_fails(?)", 2)) },
		"Close": func(db *sql.DB) error {
			r, err := db.Query("CALL keyway_fails(1)")
			if err != nil {
				return nil
			}
			return r.Close()
		},
	} {
		db := open(t, s.DSN)
		if err := call(db); err == nil {
			t.Errorf("%s: no error", name)
		}
		if n := number(t, db, "SELECT COUNT(*) FROM keyway_failed"); n != 0 {
			t.Errorf("%s: the next user of the connection sees %d rows", name, n)
		}
	}
}

// TestNoNeedlessRollback: who began nothing pays no round trip.
func TestNoNeedlessRollback(t *testing.T) {
	db := open(t, server(t).DSN)
	mustExec(t, db, "CREATE TEMPORARY TABLE keyway_plain(id INT)")
	for range 3 {
		mustExec(t, db, "INSERT INTO keyway_plain(id) SELECT 1 AS begin FROM DUAL WHERE ? = 2", 1)
		number(t, db, "SELECT COUNT(*) FROM keyway_plain")
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
	if n := number(t, db, "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'COM_ROLLBACK'"); n != 0 {
		t.Errorf("%d times ROLLBACK after ordinary statements", n)
	}
}

// TestUnknownStatus: without upstream's field nothing is taken for granted.
func TestUnknownStatus(t *testing.T) {
	c := rawConn(t)
	if c.mayBeInTx() {
		t.Error("a new connection may be in a transaction")
	}
	tx, err := c.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil || c.mayBeInTx() {
		t.Errorf("after COMMIT: %v", err)
	}
	if err := tx.Commit(); err == nil || !c.mayBeInTx() {
		t.Errorf("after a COMMIT that failed: %v", err)
	}
	if c = (&conn{upstreamConn: struct{ upstreamConn }{c}}); !c.mayBeInTx() {
		t.Error("a connection without a status is in no transaction")
	}
}

func TestClosedStatement(t *testing.T) {
	c, ctx := rawConn(t), context.Background()
	s, err := c.Prepare("SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	st := s.(*stmt)
	_, exec := st.ExecContext(ctx, nil)
	_, query := st.QueryContext(ctx, nil)
	_, oldExec := st.Exec(nil)
	_, oldQuery := st.Query(nil)
	for _, err := range []error{exec, query, oldExec, oldQuery} {
		if err != errStmtClosed {
			t.Errorf("got %v", err)
		}
	}
}
