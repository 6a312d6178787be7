package kinds

import (
	"io"
	"iter"
	"strings"
	"sync/atomic"
)

func init() {
	add("array", func() [3]struct{ X, Y float32 } { return [3]struct{ X, Y float32 }{{}, {1, 2}} },
		func(a [3]struct{ X, Y float32 }) bool { return a[1].Y == 2 })
	add("nested any", func() []any {
		return []any{struct{ P *struct{ Q complex64 } }{&struct{ Q complex64 }{1i}}, []any{func(...struct{ O any }) {}}}
	}, func(s []any) bool {
		p, ok := s[0].(struct{ P *struct{ Q complex64 } })
		_, isFunc := s[1].([]any)[0].(func(...struct{ O any }))
		return ok && isFunc && p.P.Q == 1i
	})
	add("pointer", func() *struct{ Next *struct{ R rune } } {
		return &struct{ Next *struct{ R rune } }{&struct{ R rune }{'r'}}
	}, func(p *struct{ Next *struct{ R rune } }) bool { return p.Next.R == 'r' })
	add("atomic pointer", func() *atomic.Pointer[struct{ Q int }] {
		p := new(atomic.Pointer[struct{ Q int }])
		p.Store(&struct{ Q int }{6})
		return p
	}, func(p *atomic.Pointer[struct{ Q int }]) bool { return p.Load().Q == 6 })
	add("embedded standard types", func() struct {
		io.Reader
		*strings.Builder
	} {
		return struct {
			io.Reader
			*strings.Builder
		}{strings.NewReader("text"), new(strings.Builder)}
	}, func(s struct {
		io.Reader
		*strings.Builder
	}) bool {
		_, ok := any(s).(io.ReadWriter)
		return ok
	})
	add("func of iterators", func() func(struct{ A int }) iter.Seq[map[string]struct{ B bool }] {
		return func(v struct{ A int }) iter.Seq[map[string]struct{ B bool }] {
			return func(yield func(map[string]struct{ B bool }) bool) {
				yield(map[string]struct{ B bool }{"b": {v.A == 7}})
			}
		}
	}, func(f func(struct{ A int }) iter.Seq[map[string]struct{ B bool }]) bool {
		for m := range f(struct{ A int }{7}) {
			return m["b"].B
		}
		return false
	})
}
