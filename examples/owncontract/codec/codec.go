// Package codec is a contract that has nothing to do with databases: a driver
// compresses streams. It shows how much is needed for a contract of one's own.
//
// The interfaces are aliases of interface literals over types of the standard
// library, so that host and drivers need not be built with the same version of
// this package, or the driver with any; contract.MustDefine refuses what breaks
// that rule. What is written above the methods is what package codecsuite checks.
package codec

import (
	"io"

	"github.com/keyway-go/keyway/contract"
)

// Driver is a compression codec. Its methods may be called by many goroutines at
// once; a stream is used by one goroutine at a time.
type Driver = interface {
	// Name returns the name in the driver's manifest, always the same.
	Name() string

	// NewWriter returns a writer that compresses to dst. Close completes the
	// stream and does not close dst; a second Close writes nothing, and Write
	// after Close is an error. An error of dst comes back, wrapped or not, from
	// Write or at the latest from Close.
	NewWriter(dst io.Writer) (io.WriteCloser, error)

	// NewReader returns a reader of what NewWriter made. It may read ahead, in
	// NewReader already. A source that ends before the stream does, but not at
	// its very beginning, is the error io.ErrUnexpectedEOF, a damaged one is some
	// error rather than other data, and an error of src comes back, each from
	// NewReader or from Read. Close releases what the reader holds, whether or
	// not it was read to the end, and does not close src.
	NewReader(src io.Reader) (io.ReadCloser, error)
}

// Leveler is an optional interface of a [Driver] that can compress more or less
// hard.
type Leveler = interface {
	// Levels returns the level that is fastest, the one whose output is
	// smallest, and the one of NewWriter. Levels count up from fastest to
	// smallest.
	Levels() (fastest, smallest, usual int)

	// NewWriterLevel is NewWriter with a level. One that is not within Levels is
	// an error.
	NewWriterLevel(dst io.Writer, level int) (io.WriteCloser, error)
}

// keywayContract is here to be read from the file of a program, by "drivercheck
// host"; see contract.MustDefine.
var keywayContract = [2]string{"codec", "1.0.0"}

// Contract is what hosts and the suite are made with. Its name in a manifest is
// "codec".
var Contract = contract.MustDefine[Driver](keywayContract[0], keywayContract[1],
	contract.Option[Leveler]("Leveler"),
)
