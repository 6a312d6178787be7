//go:build !cgo || !(linux || freebsd)

package files

import "github.com/keyway-go/keyway/loader/internal/opener"

var open func(string) (opener.Symbols, error)
