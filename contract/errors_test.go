package contract

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"
)

// classifying is a driver whose errors have no SQLSTATE of their own.
type classifying struct{}

func (classifying) Name() string                                   { return "classifying" }
func (classifying) OpenConnector(string) (driver.Connector, error) { return nil, errors.New("none") }
func (classifying) SQLState(err error) string                      { return "23505" }

// otherCopy is Code as another version of this package would have it.
type otherCopy string

func (c otherCopy) Error() string { return string(c) }
func (c otherCopy) Code() string  { return string(c) }

func TestCodeOf(t *testing.T) {
	plain := errors.New("boom")
	for _, c := range []struct {
		name string
		d    Driver
		err  error
		want Code
	}{
		{"nil error", classifying{}, nil, Unknown},
		{"no driver", nil, plain, Unknown},
		{"classifier", classifying{}, plain, UniqueViolation},
		{"method before classifier", classifying{}, WithSQLState(plain, "40P01"), Deadlock},
		{"empty state asks the classifier", classifying{}, WithSQLState(plain, ""), UniqueViolation},
		{"wrapped", nil, fmt.Errorf("x: %w", WithSQLState(plain, "23503")), ForeignKeyViolation},
		{"class", nil, WithSQLState(plain, "23999"), ConstraintViolation},
		{"context", nil, fmt.Errorf("x: %w", context.DeadlineExceeded), Canceled},
		{"state before context", nil, WithSQLState(context.Canceled, "40001"), SerializationFailure},
		{"malformed state", nil, WithSQLState(plain, "2350"), Unknown},
		{"unknown class", nil, WithSQLState(plain, "ZZ000"), Unknown},
	} {
		if got := CodeOf(c.d, c.err); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestCodesCompareAcrossCopies(t *testing.T) {
	err := fmt.Errorf("insert: %w", WithSQLState(errors.New("boom"), "23505"))
	if !errors.Is(err, UniqueViolation) {
		t.Error("not UniqueViolation of this package")
	}
	if !errors.Is(err, otherCopy("unique_violation")) {
		t.Error("not UniqueViolation of another copy")
	}
	if errors.Is(err, ForeignKeyViolation) || errors.Is(err, otherCopy("deadlock")) {
		t.Error("is another code, too")
	}
	if !errors.Is(UniqueViolation, otherCopy("unique_violation")) {
		t.Error("a Code is not the same Code of another copy")
	}
	if WithSQLState(nil, "23505") != nil {
		t.Error("WithSQLState(nil) is not nil")
	}
	if inner := errors.New("inner"); !errors.Is(WithSQLState(inner, "42601"), inner) {
		t.Error("does not unwrap")
	}
}

// Every state of the tables has five characters and every class two, or it
// could never be found.
func TestTablesCanBeReached(t *testing.T) {
	for s, c := range exactStates {
		if CodeOfState(s) != c {
			t.Errorf("%q is never found", s)
		}
	}
	for s, c := range classes {
		if got := CodeOfState(s + "zzz"); got != c {
			t.Errorf("class %q gives %s", s, got)
		}
	}
}
