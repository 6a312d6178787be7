package main

var DriverManifest = `{"name": "NAME", "version": "1.0.0", "contract": {"name": "shapes", "version": "^1.0"}}`

func NewDriver() interface {
	Name() string
	Answers() map[string]string
} {
	return drv{}
}

type drv struct{}

func (drv) Name() string { return "NAME" }

func (drv) Answers() map[string]string { return map[string]string{"name": name} }

func main() {}
