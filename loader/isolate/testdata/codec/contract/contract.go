// Package contract is a contract of somebody else's, made with Keyway's.
package contract

import (
	"errors"
	"iter"

	keyway "github.com/keyway-go/keyway/contract"
)

// Options are values that cross by structure.
type Options = struct {
	Upper bool   `json:"upper"`
	Mark  string `json:"mark"`
}

type Driver = interface {
	Name() string
	Encode(in []byte, o Options) (string, error)
}

type Decoder = interface {
	Decode(text string) iter.Seq2[int, struct{ B byte }]
}

// Code is told apart by its method, so that it crosses, too.
type Code string

const Empty Code = "empty"

var known = map[Code]bool{Empty: true}

func (c Code) Error() string        { return string(c) }
func (c Code) Code() string         { return string(c) }
func (c Code) Is(target error) bool { return sameCode(c, target) }

func sameCode(c Code, target error) bool {
	t, ok := target.(interface{ Code() string })
	return ok && t.Code() == string(c)
}

type failure struct {
	code        Code
	state, text string
}

func (f *failure) Error() string        { return f.text }
func (f *failure) SQLState() string     { return f.state }
func (f *failure) Code() string         { return string(f.code) }
func (f *failure) Is(target error) bool { return sameCode(f.code, target) }

// Fail makes an error with a code and a SQLSTATE.
func Fail(c Code, state, text string) error { return &failure{code: c, state: state, text: text} }

// CodeOf returns the code of an error, "unknown" if this version has none.
func CodeOf(err error) Code {
	var c interface{ Code() string }
	if errors.As(err, &c) && known[Code(c.Code())] {
		return Code(c.Code())
	}
	return "unknown"
}

var options = []keyway.Optional{keyway.Option[Decoder]("Decoder")}
