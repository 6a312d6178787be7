package codecsuite

import (
	"bytes"
	"errors"
	"io"
	"runtime"

	"github.com/keyway-go/keyway/conformance"
)

var writerChecks = []check{
	must("writer/leaves-dst-open", "Close of a writer does not close its destination.", "Driver.NewWriter", leavesOpen),
	must("writer/dst-error", "An error of the destination comes back from Write or Close.", "Driver.NewWriter", dstError),
	must("writer/close-twice", "A second Close writes nothing.", "Driver.NewWriter", closeTwice),
	must("writer/write-after-close", "Write after Close is an error, and writes nothing.", "Driver.NewWriter", writeAfterClose),
}

var readerChecks = []check{
	must("reader/src-error", "An error of the source comes back from NewReader or Read.", "Driver.NewReader", srcError),
	must("reader/close-releases", "Close of a reader that was not read to its end leaves no goroutine behind, and its source open.", "Driver.NewReader", closeReleases),
}

var errBroken = errors.New("codecsuite: broken")

// end is a file at the end of a stream: it works for some bytes and then gives
// an error, if it has one.
type end struct {
	io.ReadWriter
	left   int
	err    error
	closed bool
}

func (e *end) Write(p []byte) (int, error) {
	if e.left -= len(p); e.err != nil && e.left < 0 {
		return 0, e.err
	}
	return e.ReadWriter.Write(p)
}

func (e *end) Read(p []byte) (int, error) {
	if e.err != nil && e.left <= 0 {
		return 0, e.err
	}
	n, err := e.ReadWriter.Read(p[:min(len(p), max(e.left, 1))])
	e.left -= n
	return n, err
}

func (e *end) Close() error {
	e.closed = true
	return nil
}

func leavesOpen(t *conformance.T, s *subject) {
	dst := &end{ReadWriter: new(bytes.Buffer)}
	w, err := s.New().NewWriter(dst)
	t.Setup(err, "make a writer")
	t.Setup(w.Close(), "close it")
	if dst.closed {
		t.Errorf("Close closed the destination")
	}
}

func dstError(t *conformance.T, s *subject) {
	d := s.New()
	plain := samples()["noise"]
	for _, room := range []int{0, 1, 1000, len(plain) / 2} {
		dst := &end{ReadWriter: new(bytes.Buffer), left: room, err: errBroken}
		w, err := d.NewWriter(dst)
		if err == nil {
			_, err = w.Write(plain)
			err = errors.Join(err, w.Close())
		}
		if !errors.Is(err, errBroken) {
			t.Errorf("the destination fails after %d bytes: wanted its error, found %v", room, err)
		}
	}
}

func closeTwice(t *conformance.T, s *subject) {
	var dst bytes.Buffer
	w, err := s.New().NewWriter(&dst)
	t.Setup(err, "make a writer")
	_, err = w.Write([]byte("some text"))
	t.Setup(errors.Join(err, w.Close()), "write a stream")
	before := dst.Len()
	t.Prompt("the second Close", func() { _ = w.Close() })
	if n := dst.Len() - before; n != 0 {
		t.Errorf("the second Close wrote %d bytes", n)
	}
}

func writeAfterClose(t *conformance.T, s *subject) {
	var dst bytes.Buffer
	w, err := s.New().NewWriter(&dst)
	t.Setup(err, "make a writer")
	t.Setup(w.Close(), "close it")
	before := dst.Len()
	// More than a buffer holds, or nothing would arrive at once.
	t.Prompt("Write after Close", func() { _, err = w.Write(samples()["noise"]) })
	if err == nil {
		t.Errorf("Write after Close: wanted an error, found none")
	}
	if n := dst.Len() - before; n != 0 {
		t.Errorf("Write after Close wrote %d bytes", n)
	}
}

func srcError(t *conformance.T, s *subject) {
	d := s.New()
	packed := compress(t, d, samples()["noise"], 1<<20)
	for _, there := range []int{0, 1, 1000, len(packed) / 2} {
		src := &end{ReadWriter: bytes.NewBuffer(packed), left: there, err: errBroken}
		r, err := d.NewReader(src)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			err = errors.Join(err, r.Close())
		}
		if !errors.Is(err, errBroken) {
			t.Errorf("the source fails after %d bytes: wanted its error, found %v", there, err)
		}
	}
}

func closeReleases(t *conformance.T, s *subject) {
	d := s.New()
	packed := compress(t, d, samples()["noise"], 1<<20)
	before := runtime.NumGoroutine()
	for range 16 {
		src := &end{ReadWriter: bytes.NewBuffer(packed)}
		r, err := d.NewReader(src)
		t.Setup(err, "make a reader")
		_, err = io.ReadFull(r, make([]byte, 10))
		t.Setup(err, "read the beginning")
		t.Prompt("Close", func() { err = r.Close() })
		if err != nil {
			t.Errorf("Close: %v", err)
		}
		if src.closed {
			t.Fatalf("Close closed the source")
		}
	}
	t.Eventually("the end of goroutines that readers started", func() bool { return runtime.NumGoroutine() <= before })
}
