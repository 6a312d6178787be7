//go:build cgo && (linux || freebsd)

package files

import (
	"plugin"

	"github.com/keyway-go/keyway/loader/internal/opener"
)

var open = func(file string) (opener.Symbols, error) {
	p, err := plugin.Open(file)
	if err != nil {
		return nil, err
	}
	return symbols{p}, nil
}

type symbols struct{ p *plugin.Plugin }

func (s symbols) Lookup(name string) (any, error) { return s.p.Lookup(name) }
