// Package oldlang has the loops of Go 1.20: one variable for all rounds.
package oldlang

func Loop() (fs []func() int) {
	for i := 0; i < 3; i++ {
		fs = append(fs, func() int { return i })
	}
	return fs
}

func Range(s []int) (fs []func() int) {
	for _, v := range s {
		fs = append(fs, func() int { return v })
	}
	return fs
}

// Generic is instantiated by a package of a newer language.
func Generic[T any](s []T) (fs []func() T) {
	for _, v := range s {
		fs = append(fs, func() T { return v })
	}
	return fs
}

type List[T any] []T

func (l List[T]) Each() (fs []func() T) {
	for i := range l {
		fs = append(fs, func() T { return l[i] })
	}
	return fs
}

// Last can be inlined into a package of a newer language.
func Last() int {
	var last *int
	for i := 0; i < 3; i++ {
		if i == 0 {
			last = &i
		}
	}
	return *last
}
