package sqlsuite

// Query is the stable name of a statement that the checks need. A preset says
// how a database spells it.
//
// In the text, {{table}} stands for the name of a table of the check's own,
// {{n}} for a count, {{column}} for a column of the typed table, and {{1}},
// {{2}} for the first and second parameter, in the placeholder style of the
// database.
type Query string

// Tables. A kv table has the columns id, an integer that is the primary key,
// and v, a nullable text. The checks use ids from 1, since MySQL takes 0 for a
// wish that it choose one.
const (
	// CreateKV makes a kv table.
	CreateKV Query = "create-kv"
	// Drop removes a table of any kind.
	Drop Query = "drop"
	// AddColumn adds to a kv table the column extra, a nullable text, after
	// the others.
	AddColumn Query = "add-column"
	// InsertKV adds a row. Parameters: id, v. It fails when the id is there.
	InsertKV Query = "insert-kv"
	// InsertAuto adds a row whose id the database chooses. Parameter: v.
	InsertAuto Query = "insert-auto"
	// InsertReturning adds a row and returns its id and v as a result.
	// Parameters: id, v.
	InsertReturning Query = "insert-returning"
	// SelectKV returns id and v of one row. Parameter: id.
	SelectKV Query = "select-kv"
	// SelectAll returns id and v of all rows, in the order of id.
	SelectAll Query = "select-all"
	// SelectStar returns every column of all rows, in the order of id,
	// without naming the columns.
	SelectStar Query = "select-star"
	// CountKV returns one row with the number of rows.
	CountKV Query = "count-kv"
	// UpdateKV changes one row. Parameters: v, id.
	UpdateKV Query = "update-kv"
	// UpdateAll changes every row. Parameter: v.
	UpdateAll Query = "update-all"
	// DeleteKV removes one row. Parameter: id.
	DeleteKV Query = "delete-kv"
	// DeleteAll removes every row, and the database counts them.
	DeleteAll Query = "delete-all"
)

// The typed table has the column id, an integer that is the primary key, and a
// nullable column of each type.
const (
	// CreateTyped makes a typed table with the columns id; i, a 64-bit
	// integer; f, a double; b, a boolean; s, an unlimited text; x, unlimited
	// bytes; t, a time stamp of the best precision there is, which stands for
	// an instant, wherever the clock is; c, a text of at most 20 characters;
	// d, a decimal of 10 digits, 2 of them after the point; and r, an integer
	// that may not be null and is 7 if not given.
	CreateTyped Query = "create-typed"
	// InsertTyped adds a row with a value in one column, {{column}}.
	// Parameters: id, the value.
	InsertTyped Query = "insert-typed"
	// SelectTyped returns one column, {{column}}, of one row. Parameter: id.
	SelectTyped Query = "select-typed"
	// FindTyped returns the id of the rows in which one column, {{column}},
	// equals a value. Parameter: the value.
	FindTyped Query = "find-typed"
	// SelectTypedAll returns the columns id, i, f, b, s, x, t, c, d, r of
	// all rows, in the order of id.
	SelectTypedAll Query = "select-typed-all"
	// SelectMax returns the greatest value of one column, {{column}}, as an
	// expression.
	SelectMax Query = "select-max"
)

// Results that need no table.
const (
	// SelectOne returns one row with one column, named one: the integer 1.
	SelectOne Query = "select-one"
	// SelectNamed returns one row with three columns: 1, named "First
	// Column", and 2 and 3, both named dup.
	SelectNamed Query = "select-named"
	// EchoTwo returns its two parameters, texts, in one row. Columns: a, b.
	EchoTwo Query = "echo-two"
	// EchoNamed returns the named parameters first and second, texts, in one
	// row, second before first. Columns: b, a.
	EchoNamed Query = "echo-named"
	// Series returns {{n}} rows in order. Columns: n, an integer from 1; s,
	// the text "row-" and n; x, the same as bytes.
	Series Query = "series"
	// SeriesThenFail gives {{n}} rows like Series, and then the database
	// reports an error.
	SeriesThenFail Query = "series-then-fail"
	// SeriesThenWait gives {{n}} rows like Series, at once, and then works
	// for minutes before it ends, if nobody stops it.
	SeriesThenWait Query = "series-then-wait"
	// TwoSets returns two result sets: three rows of one column, a, with the
	// integers 1 to 3; then one row of two columns, b and c, with 4 and the
	// text "five".
	TwoSets Query = "two-sets"
	// EmptySet returns two result sets: no row of the column a; then one row
	// of the column b with the integer 1.
	EmptySet Query = "empty-set"
	// SetThenFail returns one result set like SelectOne; then the database
	// reports an error.
	SetThenFail Query = "set-then-fail"
)

// Statements that take long.
const (
	// SlowQuery works for minutes before its first row, if nobody stops it.
	SlowQuery Query = "slow-query"
	// SlowExec works for minutes and then adds rows to a kv table, if nobody
	// stops it.
	SlowExec Query = "slow-exec"
)

// Statements that are wrong, empty, or several.
const (
	// BadSyntax is refused by the database's parser.
	BadSyntax Query = "bad-syntax"
	// Empty is a text without a statement.
	Empty Query = "empty"
	// Comment is a text with nothing but a comment.
	Comment Query = "comment"
	// TwoInserts adds the rows 1 and 2 to a kv table, by two statements in
	// one text.
	TwoInserts Query = "two-inserts"
)

// Transactions.
const (
	// BeginSQL begins a transaction by SQL.
	BeginSQL Query = "begin"
	// EnableDeferred does what a connection needs before a transaction in
	// which InsertDeferred works. It may be empty where nothing is needed.
	EnableDeferred Query = "enable-deferred"
	// CreateDeferred makes a table with the columns id, an integer that is
	// the primary key, and parent, which refers to an id of the same table;
	// that is enforced when a transaction commits and not before.
	CreateDeferred Query = "create-deferred"
	// InsertDeferred adds a row with a parent that does not exist. It works;
	// committing it does not. Parameter: id.
	InsertDeferred Query = "insert-deferred"
	// InsertRoot adds a row with no parent. Parameter: id.
	InsertRoot Query = "insert-root"
	// CountDeferred returns one row with the number of rows.
	CountDeferred Query = "count-deferred"
)

// Sessions.
const (
	// SetSession leaves something behind in the session: a variable, or a
	// temporary table, for which {{table}} is a name.
	SetSession Query = "set-session"
	// GetSession returns a row if what SetSession left is there; else it
	// returns none, or fails.
	GetSession Query = "get-session"
	// KillSelf ends the connection on which it runs, so that its own outcome
	// is lost.
	KillSelf Query = "kill-self"
	// InsertThenKill adds the row {{n}} to a kv table, for good, and then
	// ends the connection on which it runs, so that its own outcome is lost.
	InsertThenKill Query = "insert-then-kill"
)
