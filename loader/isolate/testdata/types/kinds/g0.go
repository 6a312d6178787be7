package kinds

import "iter"

func init() {
	add("tagged struct", func() struct {
		A int    `json:"a"`
		B string `json:"b,omitempty"`
	} {
		return struct {
			A int    `json:"a"`
			B string `json:"b,omitempty"`
		}{1, "one"}
	}, func(v struct {
		A int    `json:"a"`
		B string `json:"b,omitempty"`
	}) bool {
		return v.A == 1 && v.B == "one"
	})
	add("func", func() func(int) (string, error) {
		return func(n int) (string, error) { return string(rune('a' + n)), nil }
	}, func(f func(int) (string, error)) bool { s, err := f(2); return s == "c" && err == nil })
	add("seq2 of a struct", func() iter.Seq2[string, struct{ K int }] {
		return func(yield func(string, struct{ K int }) bool) {
			_ = yield("a", struct{ K int }{1}) && yield("b", struct{ K int }{2})
		}
	}, func(seq iter.Seq2[string, struct{ K int }]) bool {
		sum := ""
		for k, v := range seq {
			sum += k
			if v.K == 1 {
				continue
			}
			return sum == "ab"
		}
		return false
	})
	add("untagged struct", func() struct {
		A int
		B string
	} {
		return struct {
			A int
			B string
		}{2, "two"}
	}, func(v struct {
		A int
		B string
	}) bool {
		return v.A == 2
	})
}
