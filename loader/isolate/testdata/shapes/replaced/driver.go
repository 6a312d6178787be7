package replaced

import (
	_ "embed"

	"example.com/dep"
	"example.com/orig"
)

//go:embed driver.json
var DriverManifest string

func NewDriver() interface {
	Name() string
	Answers() map[string]string
} {
	return drv{}
}

type drv struct{}

func (drv) Name() string { return "replaced" }

func (drv) Answers() map[string]string {
	return map[string]string{"directory": dep.Text, "module": orig.Text}
}
