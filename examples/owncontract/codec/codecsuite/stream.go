package codecsuite

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/examples/owncontract/codec"
)

var streamChecks = []check{
	must("stream/round-trip", "What was compressed comes back, byte by byte, however it was written.", "Driver.NewReader", roundTrip),
	must("stream/cut-short", "A stream that ends too early is io.ErrUnexpectedEOF, wherever it was cut.", "Driver.NewReader", cutShort),
	must("stream/damaged", "A damaged stream is an error, or gives what the whole one gives.", "Driver.NewReader", damaged),
	must("stream/parallel", "Many goroutines may use one driver at once.", "Driver", parallel),
	{ID: "stream/shrinks", Level: conformance.Should, Rule: "A text that repeats itself becomes smaller.", Source: "codec.Driver.NewWriter", Run: shrinks},
}

// samples are texts to compress, by what is peculiar about them.
func samples() map[string][]byte {
	noise := make([]byte, 150_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	return map[string][]byte{
		"nothing":  {},
		"one byte": {'x'},
		"noise":    noise,
		"zeros":    make([]byte, 300_001),
		"text":     text(),
	}
}

func text() []byte { return bytes.Repeat([]byte("a keyway lets only the matching key in; "), 6_000) }

func roundTrip(t *conformance.T, s *subject) {
	d := s.New()
	for name, plain := range samples() {
		for _, piece := range []int{1 << 20, 4093} {
			back, err := decompress(d, compress(t, d, plain, piece))
			if err != nil {
				t.Errorf("%s, in pieces of %d: %v", name, piece, err)
			} else if !bytes.Equal(plain, back) {
				t.Errorf("%s, in pieces of %d: %d bytes went in, %d other bytes came back", name, piece, len(plain), len(back))
			}
		}
	}
}

func cutShort(t *conformance.T, s *subject) {
	d := s.New()
	whole := compress(t, d, text(), 1<<20)
	for _, n := range []int{1, 5, len(whole) / 2, len(whole) - 1} {
		if _, err := decompress(d, whole[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: wanted io.ErrUnexpectedEOF, found %v", n, len(whole), err)
		}
	}
}

// damaged compares with what the whole stream gives, and not with what went in:
// that is the rule of another check.
func damaged(t *conformance.T, s *subject) {
	d := s.New()
	whole := compress(t, d, samples()["noise"][:5000], 1<<20)
	want, err := decompress(d, whole)
	t.Setup(err, "read the whole stream")
	for i := 0; i < len(whole); i += 1 + len(whole)/200 {
		broken := bytes.Clone(whole)
		broken[i] ^= 0x10
		if back, err := decompress(d, broken); err == nil && !bytes.Equal(back, want) {
			t.Fatalf("byte %d of %d was changed: wanted an error, found other data", i, len(whole))
		}
	}
}

// parallel compares what goroutines get with what one alone gets.
func parallel(t *conformance.T, s *subject) {
	d := s.New()
	var plain, alone [8][]byte
	for i := range plain {
		plain[i] = bytes.Repeat([]byte{byte(i), 'k', 'e', 'y'}, 10_000+i)
		var err error
		alone[i], err = decompress(d, compress(t, d, plain[i], 4096))
		t.Setup(err, "read a stream")
	}
	var wg sync.WaitGroup
	for i := range plain {
		wg.Go(func() {
			for range 8 {
				together, err := pack(d.NewWriter, plain[i], 4096)
				if err == nil {
					together, err = decompress(d, together)
				}
				if err != nil || !bytes.Equal(alone[i], together) {
					t.Errorf("goroutine %d: %d bytes wanted, found %d and the error %v", i, len(alone[i]), len(together), err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func shrinks(t *conformance.T, s *subject) {
	plain := text()
	if packed := compress(t, s.New(), plain, 1<<20); len(packed) >= len(plain) {
		t.Errorf("%d bytes became %d", len(plain), len(packed))
	}
}

// compress compresses in pieces, and ends the check if it cannot.
func compress(t *conformance.T, d codec.Driver, plain []byte, piece int) []byte {
	packed, err := pack(d.NewWriter, plain, piece)
	if err != nil {
		t.Fatalf("compressing %d bytes: %v", len(plain), err)
	}
	return packed
}

// pack compresses in pieces with a writer that is made for it.
func pack(newWriter func(io.Writer) (io.WriteCloser, error), plain []byte, piece int) ([]byte, error) {
	var packed bytes.Buffer
	w, err := newWriter(&packed)
	if err != nil {
		return nil, err
	}
	for len(plain) > 0 {
		n := min(piece, len(plain))
		if _, err := w.Write(plain[:n]); err != nil {
			return nil, errors.Join(err, w.Close())
		}
		plain = plain[n:]
	}
	err = w.Close()
	return packed.Bytes(), err
}

func decompress(d codec.Driver, packed []byte) ([]byte, error) {
	r, err := d.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(r)
	return plain, errors.Join(err, r.Close())
}
