package driver

import "example.com/fixture/NAME/kinds"

var DriverManifest = `{"name": "NAME", "version": "1.0.0", "contract": {"name": "types", "version": "^1.0"}}`

func NewDriver() interface {
	Name() string
	Make(kind string) (v any, known bool)
	Check(kind string, v any) (fault string, known bool)
	Find(m map[any]string, v any) string
	Equal(a, b any) bool
} {
	return drv{}
}

type drv struct{}

func (drv) Name() string { return "NAME" }

func (drv) Make(kind string) (any, bool) {
	k, ok := kinds.All[kind]
	if !ok {
		return nil, false
	}
	return k.Make(), true
}

func (drv) Check(kind string, v any) (string, bool) {
	k, ok := kinds.All[kind]
	if !ok {
		return "", false
	}
	return k.Check(v), true
}

func (drv) Find(m map[any]string, v any) string { return m[v] }
func (drv) Equal(a, b any) bool                 { return a == b }
