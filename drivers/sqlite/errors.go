package sqlite

import (
	"context"
	"errors"
	"strings"

	upstream "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// SQLState returns the SQLSTATE for an error of SQLite, wrapped or not. A
// context's error has none: it is what it is. Neither have errors that upstream
// makes without asking SQLite, such as that for a missing argument.
func (d *sqliteDriver) SQLState(err error) string {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ""
	}
	var e *upstream.Error
	if !errors.As(err, &e) {
		return ""
	}
	return stateOf(e.Code(), e.Error())
}

// stateOf looks for the extended result code first, then for the primary one
// in its low byte. SQLITE_ERROR stands for everything from a typing error to an
// overflow, so there the message decides, and for SQLITE_LOCKED whether it is a
// deadlock.
func stateOf(code int, message string) string {
	if state, ok := states[code]; ok {
		return state
	}
	switch primary := code & 0xff; primary {
	case lib.SQLITE_ERROR:
		return stateOfMessage(message)
	case lib.SQLITE_LOCKED:
		if strings.Contains(message, "database is deadlocked") {
			return "40P01"
		}
		return "55P03"
	default:
		return states[primary]
	}
}

// states has the result codes of https://www.sqlite.org/rescode.html. Where the
// standard has no state, it is PostgreSQL's.
var states = map[int]string{
	lib.SQLITE_INTERNAL:   "XX000",
	lib.SQLITE_PERM:       "42501",
	lib.SQLITE_ABORT:      "57014",
	lib.SQLITE_BUSY:       "55P03",
	lib.SQLITE_NOMEM:      "53200",
	lib.SQLITE_READONLY:   "25006",
	lib.SQLITE_INTERRUPT:  "57014",
	lib.SQLITE_IOERR:      "58030",
	lib.SQLITE_CORRUPT:    "XX001",
	lib.SQLITE_NOTFOUND:   "XX000",
	lib.SQLITE_FULL:       "53100",
	lib.SQLITE_CANTOPEN:   "08001",
	lib.SQLITE_PROTOCOL:   "55P03", // gave up on a lock of the WAL
	lib.SQLITE_SCHEMA:     "40001", // changed too often while the statement was prepared
	lib.SQLITE_TOOBIG:     "54000",
	lib.SQLITE_CONSTRAINT: "23000",
	lib.SQLITE_MISMATCH:   "22005",
	lib.SQLITE_MISUSE:     "XX000",
	lib.SQLITE_NOLFS:      "54000",
	lib.SQLITE_AUTH:       "42501",
	lib.SQLITE_RANGE:      "22023",
	lib.SQLITE_NOTADB:     "XX001",

	lib.SQLITE_ABORT_ROLLBACK:        "25000", // a rollback ended a query that was being read
	lib.SQLITE_BUSY_SNAPSHOT:         "40001", // another connection wrote since the transaction read
	lib.SQLITE_CONSTRAINT_CHECK:      "23514",
	lib.SQLITE_CONSTRAINT_DATATYPE:   "22005",
	lib.SQLITE_CONSTRAINT_FOREIGNKEY: "23503",
	lib.SQLITE_CONSTRAINT_NOTNULL:    "23502",
	lib.SQLITE_CONSTRAINT_PRIMARYKEY: "23505",
	lib.SQLITE_CONSTRAINT_ROWID:      "23505",
	lib.SQLITE_CONSTRAINT_UNIQUE:     "23505",
	lib.SQLITE_CORRUPT_INDEX:         "XX002",
	lib.SQLITE_ERROR_MISSING_COLLSEQ: "42704",
	lib.SQLITE_IOERR_CORRUPTFS:       "XX001",
	lib.SQLITE_IOERR_DATA:            "XX001",
	lib.SQLITE_IOERR_NOMEM:           "53200",
}

// pattern matches the message of a SQLITE_ERROR by its ends: names of the
// application's own stand in the middle, and may hold any text.
type pattern struct {
	prefix, suffix string
	state          string
}

// patterns are tried in order.
var patterns = []pattern{
	{"near ", ": syntax error", "42601"},
	{"unrecognized token: ", "", "42601"},
	{"incomplete input", "", "42601"},
	{"fts5: syntax error near ", "", "42601"},
	{"table ", " values were supplied", "42601"},
	{"", " do not have the same number of result columns", "42601"},
	{"all VALUES must have the same number of terms", "", "42601"},

	{"no such table: ", "", "42P01"},
	{"no such view: ", "", "42P01"},
	{"no such column: ", "", "42703"},
	{"no such function: ", "", "42883"},
	{"wrong number of arguments to function ", "", "42883"},
	{"no such index: ", "", "42704"},
	{"no such trigger: ", "", "42704"},
	{"no such module: ", "", "42704"},
	{"no such collation sequence: ", "", "42704"},
	{"no such database: ", "", "3F000"},
	{"unknown database ", "", "3F000"},
	{"no such savepoint: ", "", "3B001"},
	{"no such vfs: ", "", "08001"},
	{"ambiguous column name: ", "", "42702"},
	{"misuse of aggregate", "", "42803"},
	{"misuse of window function", "", "42803"},
	{"foreign key mismatch - ", "", "42830"},
	{"cannot modify ", " because it is a view", "42809"},

	{"duplicate column name: ", "", "42701"},
	{"table ", " already exists", "42P07"},
	{"view ", " already exists", "42P07"},
	{"index ", " already exists", "42P07"},
	{"there is already ", "", "42P07"},
	{"trigger ", " already exists", "42710"},
	{"database ", " is already in use", "42710"},

	{"cannot start a transaction within a transaction", "", "25001"},
	{"", " from within a transaction", "25001"},
	{"cannot commit - no transaction is active", "", "25P01"},
	{"cannot rollback - no transaction is active", "", "25P01"},

	{"integer overflow", "", "22003"},
	{"malformed JSON", "", "22032"},
	{"bad JSON path: ", "", "22032"},
	{"ESCAPE expression must be a single character", "", "22019"},

	{"too many ", "", "54000"},
	{"Expression tree is too large ", "", "54000"},
	{"parser stack overflow", "", "54000"},
	{"at most ", " tables in a join", "54000"},
}

// stateOfMessage classifies a SQLITE_ERROR. SQLite's messages are the same in
// every locale. Upstream writes them as "SQL logic error: MESSAGE (1)".
func stateOfMessage(message string) string {
	message = strings.TrimPrefix(message, "SQL logic error: ")
	message = strings.TrimSuffix(message, " (1)")
	for _, p := range patterns {
		if len(message) >= len(p.prefix)+len(p.suffix) && strings.HasPrefix(message, p.prefix) && strings.HasSuffix(message, p.suffix) {
			return p.state
		}
	}
	// A statement that goes into a table takes its name, so nothing better
	// remains than the end: "table t has no column named c".
	if strings.HasPrefix(message, "table ") && strings.Contains(message, " has no column named ") {
		return "42703"
	}
	return ""
}
