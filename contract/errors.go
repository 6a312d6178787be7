package contract

import (
	"context"
	"errors"
	"slices"
)

// Code is a portable class of database errors, made from a SQLSTATE. It is an
// error itself, to be used with errors.Is on errors made by [WithSQLState]:
//
//	if errors.Is(err, contract.UniqueViolation) { ... }
//
// Such a comparison works between two copies of this package, since it
// compares what Code() string returns.
type Code string

// The codes. The SQLSTATEs behind them are those of ISO/IEC 9075-2, clause 24,
// and where several products agree on a state of their own, that one.
const (
	// Unknown is the code of every error that has no other.
	Unknown              Code = "unknown"
	UniqueViolation      Code = "unique_violation"
	ForeignKeyViolation  Code = "foreign_key_violation"
	NotNullViolation     Code = "not_null_violation"
	CheckViolation       Code = "check_violation"
	ConstraintViolation  Code = "constraint_violation" // any other
	SerializationFailure Code = "serialization_failure"
	Deadlock             Code = "deadlock"
	LockTimeout          Code = "lock_timeout"
	Canceled             Code = "canceled"
	Connection           Code = "connection"
	Permission           Code = "permission"
	ReadOnly             Code = "read_only"
	Syntax               Code = "syntax"
	UndefinedObject      Code = "undefined_object" // table, column, function
	DuplicateObject      Code = "duplicate_object"
	InvalidData          Code = "invalid_data"
	TransactionState     Code = "transaction_state"
	NotSupported         Code = "not_supported"
	Resources            Code = "resources" // disk full, out of memory, too many connections
	Internal             Code = "internal"
)

// Error returns the code in words.
func (c Code) Error() string { return "database error: " + string(c) }

// Code returns the code as text.
func (c Code) Code() string { return string(c) }

// Is reports whether target has the same Code.
func (c Code) Is(target error) bool { return sameCode(string(c), target) }

func sameCode(code string, target error) bool {
	t, ok := target.(interface{ Code() string })
	return ok && t.Code() == code
}

// exact states come before their class.
var exactStates = map[string]Code{
	"01007": Permission,
	"0A000": NotSupported,
	"23001": ForeignKeyViolation, // restrict
	"23502": NotNullViolation,
	"23503": ForeignKeyViolation,
	"23505": UniqueViolation,
	"23514": CheckViolation,
	"25006": ReadOnly,
	"40001": SerializationFailure,
	"40002": ConstraintViolation,
	// The outcome is unknown: trying again, as after other failures of its
	// class, could do it twice.
	"40003": Connection,
	"40P01": Deadlock,   // PostgreSQL
	"42501": Permission, // PostgreSQL
	"42601": Syntax,     // PostgreSQL
	"42703": UndefinedObject,
	"42704": UndefinedObject,
	"42883": UndefinedObject,
	"42P01": UndefinedObject, // PostgreSQL
	"42S02": UndefinedObject, // ODBC, MySQL
	"42S22": UndefinedObject,
	"42701": DuplicateObject,
	"42710": DuplicateObject,
	"42712": DuplicateObject,
	"42723": DuplicateObject,
	"42P03": DuplicateObject,
	"42P04": DuplicateObject,
	"42P05": DuplicateObject,
	"42P06": DuplicateObject,
	"42P07": DuplicateObject,
	"42S01": DuplicateObject,
	"55P03": LockTimeout, // PostgreSQL
	"57014": Canceled,    // PostgreSQL
	"57P01": Connection,
	"57P02": Connection,
	"57P03": Connection,
	"57P04": Connection,
	"57P05": Connection,
	"70100": Canceled, // MySQL
	"HYT00": LockTimeout,
}

// classes are the first two characters.
var classes = map[string]Code{
	"08": Connection,
	"0A": NotSupported,
	"21": InvalidData,
	"22": InvalidData,
	"23": ConstraintViolation,
	"25": TransactionState,
	"26": UndefinedObject,
	"28": Permission,
	"2B": TransactionState,
	"2D": TransactionState,
	"34": UndefinedObject,
	"3B": TransactionState,
	"3D": UndefinedObject,
	"3F": UndefinedObject,
	"40": SerializationFailure,
	"42": Syntax,
	"44": CheckViolation,
	"53": Resources,
	"54": Resources,
	"57": Canceled,
	"58": Internal,
	"XX": Internal,
}

// CodeOfState returns the portable code of a SQLSTATE, [Unknown] for one that
// it does not know or that has not five characters.
func CodeOfState(state string) Code {
	if len(state) != 5 {
		return Unknown
	}
	if c, ok := exactStates[state]; ok {
		return c
	}
	if c, ok := classes[state[:2]]; ok {
		return c
	}
	return Unknown
}

// SQLStateOf returns the SQLSTATE of err: what the first error of its tree with
// an SQLState() string method says, or else what d says if it is a
// [Classifier]. It returns "" when neither knows. d may be nil.
func SQLStateOf(d Driver, err error) string {
	if err == nil {
		return ""
	}
	var s interface{ SQLState() string }
	if errors.As(err, &s) {
		if state := s.SQLState(); state != "" {
			return state
		}
	}
	if c, ok := d.(Classifier); ok {
		return c.SQLState(err)
	}
	return ""
}

// CodeOf returns the portable code of err, an error of the driver d, which may
// be nil: the code of [SQLStateOf], [Canceled] for an error that is one of
// context's, and [Unknown] for everything else, nil included.
func CodeOf(d Driver, err error) Code {
	if code := CodeOfState(SQLStateOf(d, err)); code != Unknown {
		return code
	}
	if slices.ContainsFunc([]error{context.Canceled, context.DeadlineExceeded}, func(c error) bool { return errors.Is(err, c) }) {
		return Canceled
	}
	return Unknown
}

// WithSQLState returns an error that says what err says, unwraps to it, and
// has the methods SQLState() string, Code() string and an Is that compares
// codes. It returns nil when err is nil.
func WithSQLState(err error, state string) error {
	if err == nil {
		return nil
	}
	return &stateError{err: err, state: state}
}

type stateError struct {
	err   error
	state string
}

func (e *stateError) Error() string        { return e.err.Error() }
func (e *stateError) Unwrap() error        { return e.err }
func (e *stateError) SQLState() string     { return e.state }
func (e *stateError) Code() string         { return string(CodeOfState(e.state)) }
func (e *stateError) Is(target error) bool { return sameCode(e.Code(), target) }
