// Package gzip is a driver of the codec contract: the standard library's
// compress/gzip. It is an ordinary package, to be imported or to be built with
// "drivercheck build".
package gzip

import (
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"

	"github.com/keyway-go/keyway/examples/owncontract/codec"
)

// DriverManifest says what the driver is.
//
//go:embed driver.json
var DriverManifest string

// NewDriver returns a driver, which also implements [codec.Leveler].
func NewDriver() codec.Driver { return driver{} }

var _ codec.Leveler = driver{}

type driver struct{}

func (driver) Name() string { return "gzip" }

func (driver) NewWriter(dst io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(dst), nil }

func (driver) NewReader(src io.Reader) (io.ReadCloser, error) { return gzip.NewReader(src) }

func (driver) Levels() (fastest, smallest, usual int) {
	// gzip.DefaultCompression is -1, and means 6.
	return gzip.BestSpeed, gzip.BestCompression, 6
}

func (d driver) NewWriterLevel(dst io.Writer, level int) (io.WriteCloser, error) {
	// The library has levels below, for no and for Huffman compression only.
	if fastest, smallest, _ := d.Levels(); level < fastest || level > smallest {
		return nil, fmt.Errorf("gzip: level %d is not between %d and %d", level, fastest, smallest)
	}
	return gzip.NewWriterLevel(dst, level)
}
