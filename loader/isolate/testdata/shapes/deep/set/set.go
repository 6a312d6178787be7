// Package set is generic.
package set

type Keyed[K comparable] interface{ Key() K }

type Set[T Keyed[int]] struct{ m map[int]T }

func Of[T Keyed[int]](all ...T) *Set[T] {
	s := &Set[T]{map[int]T{}}
	for _, v := range all {
		s.m[v.Key()] = v
	}
	return s
}

func (s *Set[T]) Has(v T) bool { _, ok := s.m[v.Key()]; return ok }
