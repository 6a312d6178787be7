package mysql

import (
	"context"
	"database/sql/driver"
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
	for _, way := range []string{
		"BEGIN", "start transaction", "/*!50000BEGIN*/ WORK", "CALL keyway_opens()", "SET autocommit=0",
		"EXECUTE IMMEDIATE 'begin work'", "XA START 'keyway'", // which ROLLBACK does not end: the connection goes
	} {
		db := open(t, s.DSN)
		user, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{way, "INSERT INTO keyway_open VALUES(1)"} {
			if _, err := user.ExecContext(t.Context(), query); err != nil {
				t.Errorf("%s: %v", query, err)
			}
		}
		if err := user.Close(); err != nil {
			t.Error(err)
		}
		if n := number(t, db, "SELECT COUNT(*) FROM keyway_open"); n != 0 {
			t.Errorf("%s: the next user of the connection sees %d rows", way, n)
		}
	}
	db := open(t, s.DSN+"?autocommit=0")
	mustExec(t, db, "INSERT INTO keyway_open VALUES(1)")
	if n := number(t, db, "SELECT COUNT(*) FROM keyway_open"); n != 0 {
		t.Errorf("autocommit=0 in the DSN: the next user sees %d rows", n)
	}

	db = open(t, s.DSN)
	for range 3 {
		mustExec(t, db, "INSERT INTO keyway_open(id) SELECT 1 AS begin_at FROM DUAL WHERE ? = 2", 1)
	}
	if n := number(t, db, "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'COM_ROLLBACK'"); n != 0 {
		t.Errorf("%d times ROLLBACK after ordinary statements", n)
	}
}

func TestMayBegin(t *testing.T) {
	for query, want := range map[string]bool{
		"":                                 false,
		"BEGIN":                            true,
		"  bEgIn;":                         true,
		"SELECT 1; BEGIN":                  true,
		"/*!BEGIN*/":                       true,
		"START/**/TRANSACTION":             true,
		"SET @@autocommit=0":               true,
		"XA START 'x'":                     true,
		"{CALL p()}":                       true,
		"PREPARE s FROM 'begin'":           true,
		"SELECT begin_at, recall FROM xa_": false,
		"SELECT beginning, é, ébegin":      false,
		"INSERT INTO t VALUES(?, '\xff')":  false,
	} {
		if got := mayBegin(query); got != want {
			t.Errorf("%q: %v", query, got)
		}
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
