// Package lib is what every random module has below it.
package lib

import "iter"

// Salt makes one module's copy unlike another's.
const Salt = SALT

// Mod keeps numbers small.
func Mod(n int) int {
	if n %= 9973; n < 0 {
		n += 9973
	}
	return n
}

type Box[T any] struct {
	last T
	all  []T
}

func (b *Box[T]) Put(v T) *Box[T] {
	b.last, b.all = v, append(b.all, b.last)
	return b
}

func (b Box[T]) Get() T   { return b.last }
func (b Box[T]) Len() int { return len(b.all) }

type Pair[A, B any] struct {
	First  A
	Second B
}

func Zip[A, B any](a A, b B) Pair[A, B] { return Pair[A, B]{a, b} }

func Fold[T, A any](s []T, a A, f func(A, T) A) A {
	for _, v := range s {
		a = f(a, v)
	}
	return a
}

func Map[K comparable, V, W any](m map[K]V, f func(V) W) map[K]W {
	out := make(map[K]W, len(m))
	for k, v := range m {
		out[k] = f(v)
	}
	return out
}

func Seq[T any](s ...T) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i, v := range s {
			if !yield(i, v) {
				return
			}
		}
	}
}

type Tree[T ~int | ~int64] struct {
	left, right *Tree[T]
	v           T
}

func (t *Tree[T]) Insert(v T) *Tree[T] {
	switch {
	case t == nil:
		return &Tree[T]{v: v}
	case v < t.v:
		t.left = t.left.Insert(v)
	default:
		t.right = t.right.Insert(v)
	}
	return t
}

func (t *Tree[T]) Walk(yield func(depth int, v T) bool) { t.walk(0, yield) }

func (t *Tree[T]) walk(depth int, yield func(int, T) bool) bool {
	return t == nil || t.left.walk(depth+1, yield) && yield(depth, t.v) && t.right.walk(depth+1, yield)
}

// Guard runs f, and makes a number of what it panics with.
func Guard(f func() int) (n int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case string:
			n = len(r) + Salt
		case struct{ Code int }:
			n = r.Code
		case interface{ RuntimeError() }:
			n = Salt
		default:
			panic(r)
		}
	}()
	return f()
}

// Via sends a number through goroutines.
func Via(n int, fs ...func(int) int) int {
	in := make(chan int, 1)
	in <- n
	for _, f := range fs {
		out := make(chan int)
		go func(in <-chan int) { out <- f(<-in) }(in)
		in = out
	}
	return <-in
}
