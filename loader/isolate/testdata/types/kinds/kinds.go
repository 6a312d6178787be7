// Package kinds makes and recognizes values of structural types. Host and
// drivers have a copy each, with some of the groups.
package kinds

import (
	"fmt"
	"reflect"
)

// Kind is one type.
type Kind struct {
	Make  func() any
	Check func(any) string // what is wrong with a value that somebody made, or ""
}

// All are the kinds of the groups that are compiled in.
var All = map[string]Kind{}

// add adds a kind. same tells whether a value is what Make makes, once it has
// been asserted.
func add[T any](name string, make func() T, same func(T) bool) {
	_, twice := All[name]
	if twice {
		panic(name)
	}
	typ := reflect.TypeFor[T]()
	All[name] = Kind{
		Make: func() any { return make() },
		Check: func(v any) string {
			if reflect.TypeOf(v) != typ {
				return fmt.Sprintf("reflect.TypeOf is another %v", reflect.TypeOf(v))
			}
			if _, ok := map[reflect.Type]bool{typ: true}[reflect.TypeOf(v)]; !ok {
				return "its type is no key for " + typ.String()
			}
			switch v.(type) {
			case T:
			default:
				return fmt.Sprintf("type switch: %T is not %v", v, typ)
			}
			x, ok := v.(T)
			if !ok {
				return fmt.Sprintf("assertion: %T is not %v", v, typ)
			}
			if !same(x) {
				return fmt.Sprintf("%v holds another value", typ)
			}
			return ""
		},
	}
}
