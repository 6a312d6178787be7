package worked

import (
	_ "embed"

	"example.com/dep"
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

func (drv) Name() string { return "worked" }

func (drv) Answers() map[string]string {
	return map[string]string{"dependency": dep.Text}
}
