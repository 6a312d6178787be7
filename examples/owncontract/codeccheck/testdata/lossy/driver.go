// Package lossy is gzip that loses the last byte of what is written.
package lossy

import (
	_ "embed"
	"io"
	"slices"

	"github.com/keyway-go/keyway/examples/owncontract/codec"
	"github.com/keyway-go/keyway/examples/owncontract/drivers/gzip"
)

//go:embed driver.json
var DriverManifest string

func NewDriver() codec.Driver { return driver{gzip.NewDriver()} }

type driver struct{ gzip codec.Driver }

func (driver) Name() string { return "lossy" }

func (d driver) NewReader(src io.Reader) (io.ReadCloser, error) { return d.gzip.NewReader(src) }

func (d driver) NewWriter(dst io.Writer) (io.WriteCloser, error) {
	w, err := d.gzip.NewWriter(dst)
	return &writer{WriteCloser: w}, err
}

type writer struct {
	io.WriteCloser
	held []byte
}

func (w *writer) Write(p []byte) (int, error) {
	all := slices.Concat(w.held, p)
	last := max(len(all)-1, 0)
	w.held = all[last:]
	if _, err := w.WriteCloser.Write(all[:last]); err != nil {
		return 0, err
	}
	return len(p), nil
}
