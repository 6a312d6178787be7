//go:build cgo && (linux || freebsd)

package loader

import "plugin"

// Supported tells whether this program can load driver files: it was built
// with cgo, for Linux or FreeBSD.
const Supported = true

const openRemedy = "build the driver for this program: drivercheck build"

func openPlugin(file string) (symbols, error) {
	p, err := plugin.Open(file)
	if err != nil {
		return nil, err
	}
	return pluginSymbols{p}, nil
}

type pluginSymbols struct{ p *plugin.Plugin }

func (s pluginSymbols) Lookup(name string) (any, error) { return s.p.Lookup(name) }
