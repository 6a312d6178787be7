package loader

import (
	"fmt"
	"reflect"
	"strings"
)

// describeDifference says in words how the type of a NewDriver differs from
// the one that is wanted, method by method as far as that goes. want is a
// func() D with D an interface.
func describeDifference(want, got reflect.Type) string {
	if got.Kind() == reflect.Pointer {
		got = got.Elem() // a variable
	}
	head := "type " + qualifiedName(got)
	if got.Kind() != reflect.Func {
		return head + ", which is not a function"
	}
	if got.NumIn() != 0 || got.NumOut() != 1 {
		return fmt.Sprintf("%s, which takes %d values and returns %d, instead of 0 and 1", head, got.NumIn(), got.NumOut())
	}
	iface, result := want.Out(0), got.Out(0)
	if result == iface {
		return head + ", a type of its own with the right signature"
	}
	differences := methodDifferences(iface, result)
	if len(differences) > 0 {
		return head + ": " + strings.Join(differences, "; ")
	}
	return fmt.Sprintf("%s: it returns the type %s, which has every method but is not the contract's interface literal", head, qualifiedName(result))
}

// methodDifferences compares the methods of the wanted interface with those of
// a type.
func methodDifferences(want, got reflect.Type) []string {
	var differences []string
	for m := range want.Methods() {
		has, ok := got.MethodByName(m.Name)
		if !ok {
			differences = append(differences, fmt.Sprintf("method %s%s is missing", m.Name, signature(m.Type)))
			continue
		}
		if hasType := withoutReceiver(got, has); hasType != m.Type {
			differences = append(differences, fmt.Sprintf("method %s: wanted %s%s, found %s%s",
				m.Name, m.Name, signature(m.Type), m.Name, signature(hasType)))
		}
	}
	if got.Kind() == reflect.Interface {
		for m := range got.Methods() {
			if _, ok := want.MethodByName(m.Name); !ok {
				differences = append(differences, fmt.Sprintf("method %s%s is not in the contract", m.Name, signature(m.Type)))
			}
		}
	}
	return differences
}

// withoutReceiver returns a method's type as an interface has it; a concrete
// type's method has the receiver as its first parameter.
func withoutReceiver(of reflect.Type, m reflect.Method) reflect.Type {
	if of.Kind() == reflect.Interface {
		return m.Type
	}
	var in, out []reflect.Type
	for i := 1; i < m.Type.NumIn(); i++ {
		in = append(in, m.Type.In(i))
	}
	for t := range m.Type.Outs() {
		out = append(out, t)
	}
	return reflect.FuncOf(in, out, m.Type.IsVariadic())
}

// signature spells a function type without the word func, and its types with
// their whole package paths, since two that differ only there look alike
// otherwise.
func signature(t reflect.Type) string {
	var in, out []string
	for p := range t.Ins() {
		in = append(in, qualifiedName(p))
	}
	if t.IsVariadic() {
		in[len(in)-1] = "..." + strings.TrimPrefix(in[len(in)-1], "[]")
	}
	for r := range t.Outs() {
		out = append(out, qualifiedName(r))
	}
	s := "(" + strings.Join(in, ", ") + ")"
	switch len(out) {
	case 0:
		return s
	case 1:
		return s + " " + out[0]
	}
	return s + " (" + strings.Join(out, ", ") + ")"
}

// qualifiedName is how Go spells a type, but with whole package paths, except
// inside of struct and interface literals.
func qualifiedName(t reflect.Type) string {
	if t.Name() != "" && t.PkgPath() != "" {
		return t.PkgPath() + "." + t.Name()
	}
	if t.Name() != "" {
		return t.Name()
	}
	switch t.Kind() {
	case reflect.Func:
		return "func" + signature(t)
	case reflect.Pointer:
		return "*" + qualifiedName(t.Elem())
	case reflect.Slice:
		return "[]" + qualifiedName(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), qualifiedName(t.Elem()))
	case reflect.Map:
		return "map[" + qualifiedName(t.Key()) + "]" + qualifiedName(t.Elem())
	case reflect.Chan:
		return t.ChanDir().String() + " " + qualifiedName(t.Elem())
	}
	return t.String()
}
