package contract

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
)

type named struct{ N int }

type namedInterface interface{ Name() string }

func TestStructuralRule(t *testing.T) {
	for _, c := range []struct {
		name  string
		typ   reflect.Type
		fault string // "" when the type obeys
	}{
		{"builtin and standard types", reflect.TypeFor[interface {
			A(context.Context, []byte, map[string]int) (io.Reader, error)
			B(func(struct{ X, Y int }) iter.Seq2[string, any], ...string) <-chan [4]*float64
		}](), ""},
		{"literal in literal", reflect.TypeFor[interface {
			Open() interface {
				Next() (interface{ Close() error }, error)
			}
		}](), ""},
		{"generic standard type", reflect.TypeFor[interface{ A(*atomic.Pointer[int]) }](), ""},

		{"named interface", reflect.TypeFor[namedInterface](), "Driver: github.com/keyway-go/keyway/contract.namedInterface is a named interface"},
		{"not an interface", reflect.TypeFor[func()](), "Driver: func() is not an interface"},
		{"no methods", reflect.TypeFor[any](), "Driver: the interface has no method"},
		{"parameter", reflect.TypeFor[interface{ Open(int, named) }](),
			"Driver.Open, parameter 2: github.com/keyway-go/keyway/contract.named is a named type outside the standard library"},
		{"result", reflect.TypeFor[interface{ Open() (int, *named) }](), "Driver.Open, result 2, element: github.com"},
		{"deep", reflect.TypeFor[interface {
			Open() interface {
				Rows(func(map[string][]struct{ F chan named }))
			}
		}](), "Driver.Open, result 1.Rows, parameter 1, parameter 1, element, element, field F, element: github.com"},
		{"map key", reflect.TypeFor[interface{ Open(map[named]int) }](), "Driver.Open, parameter 1, key: "},
		{"variadic", reflect.TypeFor[interface{ Open(...named) }](), "Driver.Open, parameter 1, element: "},
		{"unexported field", reflect.TypeFor[interface{ Open(struct{ x int }) }](), "Driver.Open, parameter 1, field x: an unexported field"},
		{"unexported method", reflect.TypeFor[interface {
			Open()
			close()
		}](), "Driver.close: an unexported method"},
		{"foreign type argument", reflect.TypeFor[interface{ A(*atomic.Pointer[named]) }](), "has the type argument github.com/keyway-go/keyway/contract.named"},
		{"foreign second type argument", reflect.TypeFor[interface{ A(iter.Seq2[int, []named]) }](), "has the type argument github.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := CheckStructural("Driver", c.typ)
			switch {
			case c.fault == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.fault != "" && err == nil:
				t.Errorf("accepted, want %q", c.fault)
			case c.fault != "" && !strings.Contains(err.Error(), c.fault):
				t.Errorf("got %q, want %q", err, c.fault)
			}
		})
	}
}

// A path without a dot is not yet a standard one.
func TestStandardPaths(t *testing.T) {
	for path, want := range map[string]bool{
		"": true, "io": true, "database/sql/driver": true, "net/http": true,
		"main": false, "app/contract": false, "command-line-arguments": false,
		"example.com/x": false, "iox": false, "d": false,
	} {
		if got := standard(path); got != want {
			t.Errorf("standard(%q) = %v", path, got)
		}
	}
}

func TestStandardRootsAreTheToolchains(t *testing.T) {
	out, err := exec.Command("go", "list", "std").Output()
	if err != nil {
		t.Skipf("needs the go command: %v", err)
	}
	want := map[string]bool{}
	for path := range strings.FieldsSeq(string(out)) {
		root, _, _ := strings.Cut(path, "/")
		want[root] = root != "vendor" && root != "internal"
	}
	for root, exported := range want {
		if got := standard(root); got != exported {
			t.Errorf("standardRoots: %s is %v, want %v", root, got, exported)
		}
	}
	for root := range strings.FieldsSeq(standardRoots) {
		if !want[root] {
			t.Errorf("standardRoots: the toolchain has no %s", root)
		}
	}
}

func TestDefineJoinsAllFaults(t *testing.T) {
	_, err := Define[interface{ A(named) }]("Bad Name", "v1",
		Option[interface{ B(named) }]("B"), Option[interface{ C() }]("B"), Optional{})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"contract name", "contract version", "Driver.A, parameter 1", "B.B, parameter 1", "B is given twice", "without a name"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func ExampleDefine() {
	type Codec = interface {
		Name() string
		Compress(dst, src []byte) ([]byte, error)
	}
	type Leveler = interface{ SetLevel(int) error }
	c, err := Define[Codec]("codec", "1.1.0", Option[Leveler]("Leveler"))
	fmt.Println(c.Name(), c.Version(), err)

	type Options struct{ Level int }
	_, err = Define[interface {
		Open(path string, o Options) error
	}]("codec", "1.1.0")
	fmt.Println(err)
	// Output:
	// codec 1.1.0 <nil>
	// contract "codec" is not usable: Driver.Open, parameter 2: github.com/keyway-go/keyway/contract.Options is a named type outside the standard library
}
