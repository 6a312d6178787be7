package contract

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// CheckStructural reports every place where t breaks the structural rule: a
// named type outside the standard library, an unexported field or method
// (which Go ties to one package), or a t that is not an interface literal. It
// returns nil when t obeys. label is how the error calls t; each fault names
// the way from there, such as "Driver.Open, parameter 2".
func CheckStructural(label string, t reflect.Type) error {
	return errors.Join(structuralFaults(label, t)...)
}

func structuralFaults(label string, t reflect.Type) []error {
	switch {
	case t == nil || t.Kind() != reflect.Interface:
		return []error{fmt.Errorf("%s: %v is not an interface", label, t)}
	case t.Name() != "":
		return []error{fmt.Errorf("%s: %s is a named interface; declare it as an alias of an interface literal: type %s = interface{ ... }",
			label, qualified(t), t.Name())}
	case t.NumMethod() == 0:
		return []error{fmt.Errorf("%s: the interface has no method", label)}
	}
	w := &walker{seen: map[reflect.Type]bool{}}
	w.walk(label, t)
	return w.faults
}

// walker visits a type once, however often it occurs: a literal can contain
// itself only through a named type, but the same literal is common in several
// places and one report of it is enough.
type walker struct {
	seen   map[reflect.Type]bool
	faults []error
}

func (w *walker) fault(at, format string, args ...any) {
	w.faults = append(w.faults, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
}

func (w *walker) walk(at string, t reflect.Type) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	if t.Name() != "" {
		// An instance of a generic standard type names its arguments inside
		// brackets, where they may come from anywhere.
		if !standard(t.PkgPath()) {
			w.fault(at, "%s is a named type outside the standard library", qualified(t))
		} else if arg := foreignArgument(t.Name()); arg != "" {
			w.fault(at, "%s has the type argument %s from outside the standard library", qualified(t), arg)
		}
		return
	}
	switch t.Kind() {
	case reflect.Interface:
		w.methods(at, t)
	case reflect.Func:
		w.signature(at, t)
	case reflect.Struct:
		w.fields(at, t)
	case reflect.Map:
		w.walk(at+", key", t.Key())
		w.walk(at+", element", t.Elem())
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
		w.walk(at+", element", t.Elem())
	}
}

func (w *walker) methods(at string, t reflect.Type) {
	for m := range t.Methods() {
		name := at + "." + m.Name
		if m.PkgPath != "" {
			w.fault(name, "an unexported method belongs to package %s alone", m.PkgPath)
			continue
		}
		w.signature(name, m.Type)
	}
}

func (w *walker) signature(at string, t reflect.Type) {
	for i := range t.NumIn() {
		w.walk(fmt.Sprintf("%s, parameter %d", at, i+1), t.In(i))
	}
	for i := range t.NumOut() {
		w.walk(fmt.Sprintf("%s, result %d", at, i+1), t.Out(i))
	}
}

func (w *walker) fields(at string, t reflect.Type) {
	for f := range t.Fields() {
		name := at + ", field " + f.Name
		if f.PkgPath != "" {
			w.fault(name, "an unexported field belongs to package %s alone", f.PkgPath)
			continue
		}
		w.walk(name, f.Type)
	}
}

// standardRoots are the first path elements of the standard library's packages.
// A dot in the first element is not asked for, because a private module may
// well be called "app". A root that a later Go adds is refused until it stands
// here; a test compares the list with the toolchain's.
const standardRoots = " archive bufio bytes cmp compress container context crypto database debug embed encoding errors" +
	" expvar flag fmt go hash html image index io iter log maps math mime net os path plugin reflect regexp" +
	" runtime slices sort strconv strings structs sync syscall testing text time unicode unique unsafe weak "

// standard tells whether a package path is of the standard library. Builtin
// types have the path "".
func standard(path string) bool {
	root, _, _ := strings.Cut(path, "/")
	return root == "" || strings.Contains(standardRoots, " "+root+" ")
}

// foreignArgument finds, in the name of an instance such as
// "Pointer[example.com/app.T]", a type argument from outside the standard
// library. Names spell each argument's whole package path.
func foreignArgument(name string) string {
	_, args, ok := strings.Cut(name, "[")
	if !ok {
		return ""
	}
	for _, word := range strings.FieldsFunc(args, func(r rune) bool { return strings.ContainsRune("[],*(){} ;", r) }) {
		dot := strings.LastIndex(word, ".")
		if dot < 0 {
			continue
		}
		if !standard(word[:dot]) {
			return word
		}
	}
	return ""
}

// qualified returns a type with its whole package path, where String gives
// only the last element.
func qualified(t reflect.Type) string {
	if t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}
