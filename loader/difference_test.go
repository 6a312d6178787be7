package loader

import (
	"context"
	"io"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

type wantedDriver = interface {
	Name() string
	Open(ctx context.Context, dsn string, options ...string) (io.Closer, error)
}

type (
	named    interface{ wantedDriver }
	concrete struct{}
	funcType func() wantedDriver
	mine     struct{}
	brief    struct{}
)

func (*concrete) Name() string { return "" }
func (*concrete) Open(context.Context, string, ...string) (io.Closer, error) {
	return nil, nil
}

func (brief) Name() (string, error) { return "", nil }

func TestDescribeDifference(t *testing.T) {
	const pkg = "github.com/keyway-go/keyway/loader"
	const open = "Open(context.Context, string, ...string) (io.Closer, error)"
	full := reflect.TypeFor[func() wantedDriver]().String()[len("func() "):]
	notLiteral := ", which has every method but is not the contract's interface literal"
	for _, c := range []struct {
		name string
		got  any // as Lookup returns it
		want string
	}{
		{"variable", new(int), "type int, which is not a function"},
		{"parameter", func(string) wantedDriver { return nil }, "type func(string) " + full + ", which takes 1 values and returns 1, instead of 0 and 1"},
		{"two results", func() (wantedDriver, error) { return nil, nil }, "type func() (" + full + ", error), which takes 0 values and returns 2, instead of 0 and 1"},
		{"no result", func() {}, "type func(), which takes 0 values and returns 0, instead of 0 and 1"},
		{"named function type", new(funcType), "type " + pkg + ".funcType, a type of its own with the right signature"},
		{"named interface", func() named { return nil }, "type func() " + pkg + ".named: it returns the type " + pkg + ".named" + notLiteral},
		{"pointer", func() *concrete { return nil }, "type func() *" + pkg + ".concrete: it returns the type *" + pkg + ".concrete" + notLiteral},
		{"value without pointer methods", func() concrete { return concrete{} },
			"type func() " + pkg + ".concrete: method Name() string is missing; method " + open + " is missing"},
		{"other signature", func() brief { return brief{} },
			"type func() " + pkg + ".brief: method Name: wanted Name() string, found Name() (string, error); method " + open + " is missing"},
		{"slice for variadic, and one more", func() interface {
			Close()
			Name() string
			Open(context.Context, string, []string) (io.Closer, error)
		} {
			return nil
		}, "type func() interface { Close(); Name() string; Open(context.Context, string, []string) (io.Closer, error) }: " +
			"method Open: wanted " + open + ", found Open(context.Context, string, []string) (io.Closer, error); method Close() is not in the contract"},
		{"own types in every place", func() interface {
			Name() map[mine]*mine
			Open([]mine, [2]mine, <-chan mine, func(mine) mine) string
		} {
			return nil
		}, "type func() interface { Name() map[loader.mine]*loader.mine; Open([]loader.mine, [2]loader.mine, <-chan loader.mine, func(loader.mine) loader.mine) string }: " +
			"method Name: wanted Name() string, found Name() map[" + pkg + ".mine]*" + pkg + ".mine; " +
			"method Open: wanted " + open + ", found Open([]" + pkg + ".mine, [2]" + pkg + ".mine, <-chan " + pkg + ".mine, func(" + pkg + ".mine) " + pkg + ".mine) string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, describeDifference(reflect.TypeFor[func() wantedDriver](), reflect.TypeOf(c.got)))
		})
	}
}
