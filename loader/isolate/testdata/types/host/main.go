// Command host loads three drivers in the order given, and lets everybody make
// values and everybody else recognize them. Usage: host CACHE first|late KINDS
// FILE..., KINDS a list of names separated by commas.
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"

	"example.com/fixture/NAME/kinds"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
)

type party = interface {
	Name() string
	Make(kind string) (v any, known bool)
	Check(kind string, v any) (fault string, known bool)
	Find(m map[any]string, v any) string
	Equal(a, b any) bool
}

// own is the host's part in it.
type own struct{}

func (own) Name() string { return "host" }

func (own) Make(kind string) (any, bool) {
	k, ok := kinds.All[kind]
	if !ok {
		return nil, false
	}
	return k.Make(), true
}

func (own) Check(kind string, v any) (string, bool) {
	k, ok := kinds.All[kind]
	if !ok {
		return "", false
	}
	return k.Check(v), true
}

func (own) Find(m map[any]string, v any) string { return m[v] }
func (own) Equal(a, b any) bool                 { return a == b }

func main() {
	names := strings.Split(os.Args[3], ",")
	parties := []party{own{}}
	if os.Args[2] == "first" {
		meet(names, parties)
	}
	l, err := loader.For(contract.MustDefine[party]("types", "1.0.0"), loader.Config{CacheDir: os.Args[1]})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, file := range os.Args[4:] {
		d, err := l.LoadFile(context.Background(), file)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		parties = append(parties, d.Value)
		if os.Args[2] == "first" {
			meet(names, parties)
		}
	}
	meet(names, parties)
	show(parties)
	fmt.Printf("%d met\n", met)
}

var met int

// meet shows every value to everybody.
func meet(names []string, parties []party) {
	for _, kind := range names {
		for _, maker := range parties {
			v, ok := maker.Make(kind)
			if !ok {
				continue
			}
			for _, p := range parties {
				if fault, known := p.Check(kind, v); fault != "" {
					fmt.Printf("%s: made by %s, checked by %s: %s\n", kind, maker.Name(), p.Name(), fault)
				} else if known {
					met++
				}
			}
			compare(kind, v, maker, parties)
		}
	}
}

// compare looks at equal values of two makers, in an interface and as keys.
func compare(kind string, v any, maker party, parties []party) {
	for _, other := range parties {
		w, ok := other.Make(kind)
		if !ok {
			continue
		}
		if reflect.TypeOf(v) != reflect.TypeOf(w) {
			fmt.Printf("%s: %s and %s have two types\n", kind, maker.Name(), other.Name())
		}
		if !plain(reflect.TypeOf(v)) {
			continue
		}
		for _, p := range parties {
			if !p.Equal(v, w) {
				fmt.Printf("%s: made by %s and %s, not equal to %s\n", kind, maker.Name(), other.Name(), p.Name())
			}
			if p.Find(map[any]string{v: "found"}, w) != "found" {
				fmt.Printf("%s: made by %s and %s, no key to %s\n", kind, maker.Name(), other.Name(), p.Name())
			}
			met++
		}
	}
}

// plain tells whether equal content makes equal values.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if !plain(f.Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return plain(t.Elem())
	}
	return t.Kind() <= reflect.Complex128 || t.Kind() == reflect.String
}
