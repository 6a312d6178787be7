package sqlite3

import (
	"context"
	"errors"
	"strings"

	upstream "github.com/mattn/go-sqlite3"
)

// SQLState returns the SQLSTATE for an error of SQLite, wrapped or not. A
// context's error has none: it is what it is. Neither have errors that upstream
// makes without asking SQLite, such as that for a missing argument.
func (d *sqliteDriver) SQLState(err error) string {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ""
	}
	var e upstream.Error
	if !errors.As(err, &e) {
		return ""
	}
	return stateOf(e.Code, e.ExtendedCode, e.Error())
}

// stateOf looks for the extended result code first, then for the primary one.
// SQLITE_ERROR stands for everything from a typing error to an overflow, so
// there the message decides, and for SQLITE_LOCKED whether it is a deadlock.
func stateOf(code upstream.ErrNo, extended upstream.ErrNoExtended, message string) string {
	if state, ok := extendedStates[extended]; ok {
		return state
	}
	switch code {
	case upstream.ErrError:
		return stateOfMessage(message)
	case upstream.ErrLocked:
		if strings.Contains(message, "database is deadlocked") {
			return "40P01"
		}
		return "55P03"
	default:
		return states[code]
	}
}

// states has the result codes of https://www.sqlite.org/rescode.html. Where the
// standard has no state, it is PostgreSQL's. This table and the next two are
// those of the driver sqlite: the engine is the same, and a driver imports
// nothing but the contract and its upstream.
var states = map[upstream.ErrNo]string{
	upstream.ErrInternal:   "XX000",
	upstream.ErrPerm:       "42501",
	upstream.ErrAbort:      "57014",
	upstream.ErrBusy:       "55P03",
	upstream.ErrNomem:      "53200",
	upstream.ErrReadonly:   "25006",
	upstream.ErrInterrupt:  "57014",
	upstream.ErrIoErr:      "58030",
	upstream.ErrCorrupt:    "XX001",
	upstream.ErrNotFound:   "XX000",
	upstream.ErrFull:       "53100",
	upstream.ErrCantOpen:   "08001",
	upstream.ErrProtocol:   "55P03", // gave up on a lock of the WAL
	upstream.ErrSchema:     "40001", // changed too often while the statement was prepared
	upstream.ErrTooBig:     "54000",
	upstream.ErrConstraint: "23000",
	upstream.ErrMismatch:   "22005",
	upstream.ErrMisuse:     "XX000",
	upstream.ErrNoLFS:      "54000",
	upstream.ErrAuth:       "42501",
	upstream.ErrRange:      "22023",
	upstream.ErrNotADB:     "XX001",
}

// extendedStates has the extended codes that say more than their primary one.
var extendedStates = map[upstream.ErrNoExtended]string{
	upstream.ErrAbortRollback:        "25000", // a rollback ended a query that was being read
	upstream.ErrBusySnapshot:         "40001", // another connection wrote since the transaction read
	upstream.ErrConstraintCheck:      "23514",
	upstream.ErrConstraintForeignKey: "23503",
	upstream.ErrConstraintNotNull:    "23502",
	upstream.ErrConstraintPrimaryKey: "23505",
	upstream.ErrConstraintRowID:      "23505",
	upstream.ErrConstraintUnique:     "23505",
	upstream.ErrIoErrNoMem:           "53200",
	errConstraintDatatype:            "22005",
	errCorruptIndex:                  "XX002",
	errErrorMissingCollSeq:           "42704",
	errIoErrCorruptFS:                "XX001",
	errIoErrData:                     "XX001",
}

// Extended codes that upstream has no name for.
var (
	errConstraintDatatype  = upstream.ErrConstraint.Extend(12)
	errCorruptIndex        = upstream.ErrCorrupt.Extend(3)
	errErrorMissingCollSeq = upstream.ErrError.Extend(1)
	errIoErrCorruptFS      = upstream.ErrIoErr.Extend(33)
	errIoErrData           = upstream.ErrIoErr.Extend(32)
)

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
// every locale, and upstream adds nothing to them.
func stateOfMessage(message string) string {
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
