// Package item instantiates what is generic elsewhere.
package item

import "example.com/deep/set"

type Item struct{ N int }

func (i Item) Key() int { return 10 * i.N }

func Items() *set.Set[Item] { return set.Of(Item{VERSION}, Item{7}) }
