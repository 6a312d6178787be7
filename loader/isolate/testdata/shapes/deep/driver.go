package deep

import (
	_ "embed"
	"fmt"

	"example.com/deep/internal/asm"
	"example.com/deep/internal/c"
	"example.com/deep/internal/item"
	"example.com/deep/set"
	"example.com/oldlang"
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

func (drv) Name() string { return "deep" }

func (drv) Answers() map[string]string {
	mine := set.Of(item.Item{N: VERSION})
	_, oneType := any(item.Items()).(*set.Set[item.Item])
	return map[string]string{
		"loop of this language": call(loop()),
		"loop of 1.20":          call(oldlang.Loop()),
		"range of 1.20":         call(oldlang.Range([]int{0, 1, 2})),
		"generic of 1.20":       call(oldlang.Generic([]int{0, 1, 2})),
		"generic method":        call(oldlang.List[int]{0, 1, 2}.Each()),
		"inlined of 1.20":       fmt.Sprint(oldlang.Last()),
		"file of 1.22 in 1.20":  call(oldlang.NewerFile()),
		"generic across":        fmt.Sprint(oneType, mine.Has(item.Item{N: VERSION}), item.Items().Has(item.Item{N: VERSION}), item.Items().Has(item.Item{})),
		"embedded":              oldlang.Embedded(),
		"internal":              oldlang.Secret(),
		"assembly":              asm.Answer(),
		"cgo":                   c.Answer(),
	}
}

func loop() (fs []func() int) {
	for i := 0; i < 3; i++ {
		fs = append(fs, func() int { return i })
	}
	return fs
}

func call(fs []func() int) (s string) {
	for _, f := range fs {
		s += fmt.Sprint(f())
	}
	return s
}
