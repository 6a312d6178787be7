package kinds

import "iter"

// counter has a name in each copy; what crosses are the interfaces it has.
type counter struct{ n int }

func (c *counter) Next() (v struct{ N int }, err error) { c.n++; return struct{ N int }{c.n}, nil }
func (c *counter) All() iter.Seq2[int, struct{ S string }] {
	return func(yield func(int, struct{ S string }) bool) { yield(1, struct{ S string }{"one"}) }
}

func init() {
	add("holder of an interface", func() struct {
		I interface {
			Next() (struct{ N int }, error)
		}
	} {
		return struct {
			I interface {
				Next() (struct{ N int }, error)
			}
		}{new(counter)}
	}, func(h struct {
		I interface {
			Next() (struct{ N int }, error)
		}
	}) bool {
		v, err := h.I.Next()
		if err != nil || v.N == 0 {
			return false
		}
		if _, ok := h.I.(interface{ Previous() }); ok {
			return false
		}
		all, ok := h.I.(interface {
			All() iter.Seq2[int, struct{ S string }]
		})
		if !ok {
			return false
		}
		for i, s := range all.All() {
			return i == 1 && s.S == "one"
		}
		return false
	})
	add("slice of interfaces", func() []interface {
		Next() (struct{ N int }, error)
		All() iter.Seq2[int, struct{ S string }]
	} {
		return []interface {
			Next() (struct{ N int }, error)
			All() iter.Seq2[int, struct{ S string }]
		}{new(counter)}
	}, func(s []interface {
		Next() (struct{ N int }, error)
		All() iter.Seq2[int, struct{ S string }]
	}) bool {
		_, ok := any(s[0]).(interface {
			Next() (struct{ N int }, error)
		})
		return ok
	})
	add("method value", func() func() (struct{ N int }, error) { return (&counter{8}).Next },
		func(f func() (struct{ N int }, error)) bool { v, _ := f(); return v.N > 8 })
	add("generic closure", func() func(func(struct{ T string }) bool) []struct{ T string } {
		all := []struct{ T string }{{"x"}, {"y"}}
		return func(keep func(struct{ T string }) bool) []struct{ T string } { return filter(all, keep) }
	}, func(f func(func(struct{ T string }) bool) []struct{ T string }) bool {
		return len(f(func(v struct{ T string }) bool { return v.T == "y" })) == 1
	})
}

func filter[T any](s []T, keep func(T) bool) (kept []T) {
	for _, v := range s {
		if keep(v) {
			kept = append(kept, v)
		}
	}
	return kept
}
