// Package zstd is a driver of the codec contract: Zstandard, of
// github.com/klauspost/compress. It is an ordinary package, to be imported or to
// be built with "drivercheck build".
package zstd

import (
	_ "embed"
	"io"

	"github.com/klauspost/compress/zstd"

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

func (driver) Name() string { return "zstd" }

func (d driver) NewWriter(dst io.Writer) (io.WriteCloser, error) {
	_, _, usual := d.Levels()
	return d.NewWriterLevel(dst, usual)
}

func (driver) NewReader(src io.Reader) (io.ReadCloser, error) {
	// Without concurrency the decoder has no goroutine that could stay.
	r, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return r.IOReadCloser(), nil
}

func (driver) Levels() (fastest, smallest, usual int) {
	return int(zstd.SpeedFastest), int(zstd.SpeedBestCompression), int(zstd.SpeedDefault)
}

// NewWriterLevel leaves it to the library to refuse a level.
func (driver) NewWriterLevel(dst io.Writer, level int) (io.WriteCloser, error) {
	return zstd.NewWriter(dst,
		zstd.WithEncoderLevel(zstd.EncoderLevel(level)),
		zstd.WithEncoderConcurrency(1),
		// Otherwise the stream of no data would be nothing at all.
		zstd.WithZeroFrames(true))
}
