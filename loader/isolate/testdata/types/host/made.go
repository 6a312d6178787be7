package main

import (
	"fmt"
	"reflect"
)

// made are values of types that no source of the host spells: reflection makes
// the types.
func made() map[string]any {
	of := []reflect.Type{reflect.TypeFor[int](), reflect.TypeFor[string](), reflect.TypeFor[float32](), reflect.TypeFor[error]()}
	fields := func(f ...reflect.StructField) reflect.Type { return reflect.StructOf(f) }

	untagged := reflect.New(fields(reflect.StructField{Name: "A", Type: of[0]}, reflect.StructField{Name: "B", Type: of[1]})).Elem()
	untagged.Field(0).SetInt(2)

	element := reflect.New(fields(reflect.StructField{Name: "V", Type: reflect.SliceOf(of[0])})).Elem()
	element.Field(0).Set(reflect.ValueOf([]int{1, 2}))
	structs := reflect.MakeMap(reflect.MapOf(of[1], element.Type()))
	structs.SetMapIndex(reflect.ValueOf("x"), element)

	array := reflect.New(reflect.ArrayOf(3, fields(reflect.StructField{Name: "X", Type: of[2]}, reflect.StructField{Name: "Y", Type: of[2]}))).Elem()
	array.Index(1).Field(1).SetFloat(2)

	function := reflect.MakeFunc(reflect.FuncOf(of[:1], []reflect.Type{of[1], of[3]}, false), func(in []reflect.Value) []reflect.Value {
		return []reflect.Value{reflect.ValueOf(string(rune('a' + in[0].Int()))), reflect.Zero(of[3])}
	})
	return map[string]any{"untagged struct": untagged.Interface(), "map of structs": structs.Interface(),
		"array": array.Interface(), "func": function.Interface()}
}

// show shows made values to everybody.
func show(parties []party) {
	for kind, v := range made() {
		for _, p := range parties {
			if fault, known := p.Check(kind, v); fault != "" {
				fmt.Printf("%s: made by reflection, checked by %s: %s\n", kind, p.Name(), fault)
			} else if known {
				met++
			}
		}
	}
}
