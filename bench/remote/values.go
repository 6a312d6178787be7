package remote

import (
	"database/sql/driver"
	"fmt"

	"github.com/keyway-go/keyway/bench/remote/remotepb"
)

// The kinds of values.
const (
	null = iota
	integer
	real
	boolean // an integer
	text
	blob
)

// push adds a value.
func push(vs *remotepb.Values, v driver.Value) error {
	kind := byte(null)
	switch v := v.(type) {
	case nil:
	case int64:
		kind, vs.Integers = integer, append(vs.Integers, v)
	case float64:
		kind, vs.Reals = real, append(vs.Reals, v)
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		kind, vs.Integers = boolean, append(vs.Integers, n)
	case string:
		kind, vs.Texts = text, append(vs.Texts, v)
	case []byte:
		kind, vs.Blobs = blob, append(vs.Blobs, append([]byte(nil), v...)) // the driver's only until the next row
	default:
		return fmt.Errorf("remote: values of type %T are not carried", v)
	}
	vs.Kinds = append(vs.Kinds, kind)
	return nil
}

// puller takes values out in the order in which they were pushed.
type puller struct {
	from                                 *remotepb.Values
	kinds, integers, reals, texts, blobs int // how many were taken
}

func (p *puller) left() int { return len(p.from.GetKinds()) - p.kinds }

// pull panics if nothing is left.
func (p *puller) pull() driver.Value {
	kind := p.from.Kinds[p.kinds]
	p.kinds++
	switch kind {
	case integer:
		p.integers++
		return p.from.Integers[p.integers-1]
	case boolean:
		p.integers++
		return p.from.Integers[p.integers-1] != 0
	case real:
		p.reals++
		return p.from.Reals[p.reals-1]
	case text:
		p.texts++
		return p.from.Texts[p.texts-1]
	case blob:
		p.blobs++
		return p.from.Blobs[p.blobs-1]
	}
	return nil
}

// arguments are positional; names are not carried.
func pushAll(args []driver.NamedValue) (*remotepb.Values, error) {
	vs := &remotepb.Values{}
	for _, a := range args {
		if err := push(vs, a.Value); err != nil {
			return nil, err
		}
	}
	return vs, nil
}

func pullAll(vs *remotepb.Values) []driver.NamedValue {
	p := puller{from: vs}
	args := make([]driver.NamedValue, p.left())
	for i := range args {
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: p.pull()}
	}
	return args
}
