package contract

import keyway "github.com/keyway-go/keyway/contract"

// Sizer is new in 1.4.
type Sizer = interface {
	Size(n int, o Options) (bytes struct{ Min, Max int })
}

// TooLong is new in 1.4.
const TooLong Code = "too_long"

func init() { known[TooLong] = true }

var Codec = keyway.MustDefine[Driver]("codec", "1.4.0", append(options, keyway.Option[Sizer]("Sizer"))...)
