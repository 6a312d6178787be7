package contract

import keyway "github.com/keyway-go/keyway/contract"

var Codec = keyway.MustDefine[Driver]("codec", "1.0.0", options...)
