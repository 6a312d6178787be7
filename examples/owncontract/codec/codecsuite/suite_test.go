package codecsuite_test

import (
	stdgzip "compress/gzip"
	"errors"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/examples/owncontract/codec"
	"github.com/keyway-go/keyway/examples/owncontract/codec/codecsuite"
	"github.com/keyway-go/keyway/examples/owncontract/drivers/gzip"
	"github.com/keyway-go/keyway/examples/owncontract/drivers/zstd"
)

// failing runs the suite's own checks on a driver in this process, and returns
// the messages of those that do not pass.
func failing(t *testing.T, newDriver func() codec.Driver) map[string][]string {
	failed := map[string][]string{}
	for _, c := range codecsuite.Suite().Checks {
		o := c.Do(t.Context(), &conformance.Subject[codec.Driver]{New: newDriver}, conformance.Limits{Timeout: time.Minute, Patience: 2 * time.Second})
		if o.Status != conformance.Pass && o.Status != conformance.Unsupported {
			failed[c.ID] = o.Messages
		}
	}
	return failed
}

func TestSound(t *testing.T) { require.NoError(t, codecsuite.Suite().Validate()) }

// The same packages that are built into driver files pass when they are linked
// in, where the race detector sees them.
func TestLinkedIn(t *testing.T) {
	assert.Empty(t, failing(t, gzip.NewDriver), "gzip")
	assert.Empty(t, failing(t, zstd.NewDriver), "zstd")
}

// mutant is gzip with a fault in its streams. It has no levels.
type mutant struct {
	codec.Driver
	write func(io.Writer) (io.WriteCloser, error)
	read  func(io.Reader) (io.ReadCloser, error)
}

func (m mutant) NewWriter(dst io.Writer) (io.WriteCloser, error) {
	if m.write != nil {
		return m.write(dst)
	}
	return m.Driver.NewWriter(dst)
}

func (m mutant) NewReader(src io.Reader) (io.ReadCloser, error) {
	if m.read != nil {
		return m.read(src)
	}
	return m.Driver.NewReader(src)
}

// writer is a stream with a fault: each func takes the place of the method.
type writer struct {
	io.WriteCloser
	write func([]byte) (int, error)
	close func() error
}

func (w writer) Write(p []byte) (int, error) {
	if w.write != nil {
		return w.write(p)
	}
	return w.WriteCloser.Write(p)
}

func (w writer) Close() error {
	if w.close != nil {
		return w.close()
	}
	return w.WriteCloser.Close()
}

// writing is a mutant whose writers have a fault.
func writing(fault func(w io.WriteCloser, dst io.Writer) writer) codec.Driver {
	good := gzip.NewDriver()
	return mutant{Driver: good, write: func(dst io.Writer) (io.WriteCloser, error) {
		w, err := good.NewWriter(dst)
		if err != nil {
			return nil, err
		}
		return fault(w, dst), nil
	}}
}

// reader has its errors replaced.
type reader struct {
	io.ReadCloser
	replace func(error) error
}

func (r reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	return n, r.replace(err)
}

// reading is a mutant whose readers have some error replaced.
func reading(from, to error) codec.Driver {
	good := gzip.NewDriver()
	replace := func(err error) error {
		if err == from {
			return to
		}
		return err
	}
	return mutant{Driver: good, read: func(src io.Reader) (io.ReadCloser, error) {
		r, err := good.NewReader(src)
		if err != nil {
			return nil, replace(err)
		}
		return reader{r, replace}, nil
	}}
}

// levels is gzip with other levels.
type levels struct {
	codec.Driver
	codec.Leveler
	newWriter func(dst io.Writer, level int) (io.WriteCloser, error)
}

func (l levels) NewWriterLevel(dst io.Writer, level int) (io.WriteCloser, error) {
	return l.newWriter(dst, level)
}

// lossy drops the last byte of what is written.
func lossy(w io.WriteCloser) writer {
	var held []byte
	return writer{WriteCloser: w, write: func(p []byte) (int, error) {
		n := len(p)
		p = append(held, p...)
		held = slices.Clone(p[max(len(p)-1, 0):])
		_, err := w.Write(p[:max(len(p)-1, 0)])
		return n, err
	}}
}

// quiet never fails to write.
type quiet struct{ io.Writer }

func (q quiet) Write(p []byte) (int, error) {
	_, _ = q.Writer.Write(p)
	return len(p), nil
}

// secretive hides the errors of a source.
type secretive struct{ io.Reader }

func (s secretive) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = errors.New("it failed")
	}
	return n, err
}

// mutants are drivers that break one rule, by the check that is to find it.
var mutants = map[string]codec.Driver{
	"stream/round-trip": writing(func(w io.WriteCloser, _ io.Writer) writer { return lossy(w) }),
	"stream/cut-short":  reading(io.ErrUnexpectedEOF, errors.New("too short")),
	"stream/damaged":    reading(stdgzip.ErrChecksum, io.EOF),
	"stream/parallel":   lonely(),
	"stream/shrinks": mutant{Driver: gzip.NewDriver(), write: func(dst io.Writer) (io.WriteCloser, error) {
		return stdgzip.NewWriterLevel(dst, stdgzip.NoCompression)
	}},
	"writer/leaves-dst-open": writing(func(w io.WriteCloser, dst io.Writer) writer {
		return writer{WriteCloser: w, close: func() error {
			if c, ok := dst.(io.Closer); ok {
				_ = c.Close()
			}
			return w.Close()
		}}
	}),
	"writer/dst-error": mutant{Driver: gzip.NewDriver(), write: func(dst io.Writer) (io.WriteCloser, error) {
		return gzip.NewDriver().NewWriter(quiet{dst})
	}},
	"writer/close-twice": writing(func(w io.WriteCloser, dst io.Writer) writer {
		closed := false
		return writer{WriteCloser: w, close: func() error {
			if closed {
				_, err := dst.Write([]byte("end"))
				return err
			}
			closed = true
			return w.Close()
		}}
	}),
	"writer/write-after-close": writing(func(w io.WriteCloser, _ io.Writer) writer {
		closed := false
		return writer{WriteCloser: w, write: func(p []byte) (int, error) {
			if closed {
				return len(p), nil
			}
			return w.Write(p)
		}, close: func() error {
			closed = true
			return w.Close()
		}}
	}),
	"reader/src-error": mutant{Driver: gzip.NewDriver(), read: func(src io.Reader) (io.ReadCloser, error) {
		return gzip.NewDriver().NewReader(secretive{src})
	}},
	"reader/close-releases": mutant{Driver: gzip.NewDriver(), read: func(src io.Reader) (io.ReadCloser, error) {
		r, err := gzip.NewDriver().NewReader(src)
		ended := make(chan struct{})
		if err == nil {
			go func() { <-ended }()
			r = reader{r, func(err error) error {
				if err != nil {
					close(ended)
				}
				return err
			}}
		}
		return r, err
	}},
	"level/range": levels{Driver: gzip.NewDriver(), Leveler: leveler(), newWriter: func(dst io.Writer, level int) (io.WriteCloser, error) {
		fastest, smallest, _ := leveler().Levels()
		return leveler().NewWriterLevel(dst, min(max(level, fastest), smallest))
	}},
	"level/same-stream": levels{Driver: gzip.NewDriver(), Leveler: leveler(), newWriter: func(dst io.Writer, level int) (io.WriteCloser, error) {
		w, err := leveler().NewWriterLevel(dst, level)
		if err != nil || level != 9 {
			return w, err
		}
		return lossy(w), nil
	}},
}

func leveler() codec.Leveler { return gzip.NewDriver().(codec.Leveler) }

// lonely works for one writer at a time.
func lonely() codec.Driver {
	var open atomic.Int64
	return writing(func(w io.WriteCloser, _ io.Writer) writer {
		open.Add(1)
		closed := false
		return writer{WriteCloser: w, write: func(p []byte) (int, error) {
			time.Sleep(time.Millisecond)
			if open.Load() > 1 {
				return 0, errors.New("another writer is open")
			}
			return w.Write(p)
		}, close: func() error {
			if !closed {
				closed = true
				open.Add(-1)
			}
			return w.Close()
		}}
	})
}

// Every check has a driver that only it fails.
func TestMutants(t *testing.T) {
	var ids []string
	for _, c := range codecsuite.Suite().Checks {
		ids = append(ids, c.ID)
	}
	require.ElementsMatch(t, ids, slices.Collect(maps.Keys(mutants)))
	for id, d := range mutants {
		t.Run(id, func(t *testing.T) {
			failed := failing(t, func() codec.Driver { return d })
			assert.Equal(t, []string{id}, slices.Collect(maps.Keys(failed)), "%v", failed)
		})
	}
}
