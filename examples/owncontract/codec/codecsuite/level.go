package codecsuite

import (
	"bytes"
	"io"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/examples/owncontract/codec"
)

var levelChecks = []check{
	levelCheck("level/range", "The usual level lies within the range, and a level without is refused.", "Leveler", levelRange),
	levelCheck("level/same-stream", "NewReader reads the streams of all levels, to the same data.", "Leveler.NewWriterLevel", levelSame),
}

// levelCheck returns a check that is for drivers with a [codec.Leveler] only.
func levelCheck(id, rule, source string, run func(*conformance.T, codec.Driver, codec.Leveler)) check {
	c := must(id, rule, source, func(t *conformance.T, s *subject) {
		d := s.New()
		l, ok := d.(codec.Leveler)
		if !ok {
			t.Unsupported("the driver has no levels")
		}
		run(t, d, l)
	})
	c.Gate = "Leveler"
	return c
}

func levelRange(t *conformance.T, _ codec.Driver, l codec.Leveler) {
	fastest, smallest, usual := l.Levels()
	if fastest > usual || usual > smallest {
		t.Fatalf("the usual level %d is not between %d and %d", usual, fastest, smallest)
	}
	for _, level := range []int{fastest - 1, smallest + 1, -1 << 31, 1<<31 - 1} {
		if _, err := l.NewWriterLevel(io.Discard, level); err == nil {
			t.Errorf("level %d: wanted an error, since Levels says %d to %d, found none", level, fastest, smallest)
		}
	}
}

func levelSame(t *conformance.T, d codec.Driver, l codec.Leveler) {
	plain := text()
	want, err := decompress(d, compress(t, d, plain, 1<<20))
	t.Setup(err, "read a stream of the usual level")
	fastest, smallest, _ := l.Levels()
	for level := fastest; level <= smallest; level++ {
		packed, err := pack(func(w io.Writer) (io.WriteCloser, error) { return l.NewWriterLevel(w, level) }, plain, 1<<20)
		if err != nil {
			t.Errorf("level %d: %v", level, err)
			continue
		}
		if back, err := decompress(d, packed); err != nil || !bytes.Equal(want, back) {
			t.Errorf("level %d: %d bytes wanted, found %d and the error %v", level, len(want), len(back), err)
		}
	}
}
