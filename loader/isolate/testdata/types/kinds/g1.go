package kinds

func init() {
	add("map of structs", func() map[string]struct{ V []int } {
		return map[string]struct{ V []int }{"x": {[]int{1, 2}}}
	}, func(m map[string]struct{ V []int }) bool { return len(m) == 1 && m["x"].V[1] == 2 })
	add("map keyed by structs", func() map[struct {
		K string
		N [2]int
	}]any {
		return map[struct {
			K string
			N [2]int
		}]any{{"k", [2]int{1, 2}}: struct{ Deep []struct{ Z *int } }{}}
	}, func(m map[struct {
		K string
		N [2]int
	}]any) bool {
		_, ok := m[struct {
			K string
			N [2]int
		}{"k", [2]int{1, 2}}].(struct{ Deep []struct{ Z *int } })
		return ok
	})
	add("map keyed by any", func() map[any]string {
		return map[any]string{struct{ I8 int8 }{3}: "struct", [1]struct{ U uint }{{4}}: "array"}
	}, func(m map[any]string) bool {
		return m[struct{ I8 int8 }{3}] == "struct" && m[[1]struct{ U uint }{{4}}] == "array" && m[struct{ I8 int8 }{4}] == ""
	})
	add("channel", func() chan struct{ N int8 } {
		c := make(chan struct{ N int8 }, 1)
		c <- struct{ N int8 }{5}
		return c
	}, func(c chan struct{ N int8 }) bool {
		v := <-c
		c <- v
		return v.N == 5
	})
	add("receiving end", func() <-chan func() chan<- struct{ M int } {
		c := make(chan func() chan<- struct{ M int }, 1)
		c <- func() chan<- struct{ M int } { return make(chan struct{ M int }) }
		return c
	}, func(c <-chan func() chan<- struct{ M int }) bool { return cap(c) == 1 })
}
