package driver

import (
	_ "embed"
	"fmt"
	"iter"
	"strings"

	"example.com/codec/contract"
)

//go:embed driver.json
var DriverManifest string

func NewDriver() contract.Driver { return drv{} }

type drv struct{}

func (drv) Name() string { return "NAME" }

func (drv) Encode(in []byte, o contract.Options) (string, error) {
	if len(in) == 0 {
		return "", fmt.Errorf("encode: %w", contract.Fail(contract.Empty, "23502", "nothing to encode"))
	}
	if len(in) > 16 {
		return "", fmt.Errorf("encode: %w", tooLong)
	}
	text := fmt.Sprintf("%s%x", o.Mark, in)
	if o.Upper {
		text = strings.ToUpper(text)
	}
	return text, nil
}

func (drv) Decode(text string) iter.Seq2[int, struct{ B byte }] {
	return func(yield func(int, struct{ B byte }) bool) {
		for i := 0; i+1 < len(text); i += 2 {
			var b byte
			fmt.Sscanf(text[i:i+2], "%x", &b)
			if !yield(i/2, struct{ B byte }{b}) {
				return
			}
		}
	}
}
