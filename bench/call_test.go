//go:build linux

package bench

import (
	"testing"

	"github.com/keyway-go/keyway/contract"
)

// BenchmarkCall compares the least that can be asked of a driver: its name,
// through the contract's interface.
func BenchmarkCall(b *testing.B) {
	var runners []runner
	for _, s := range sides(b) {
		runners = append(runners, runner{name: s.name, run: func(n int) error { return callName(s.driver, n) }})
	}
	report(b, runners, takeTurns(b, runners), nil)
}

var lastName string // keeps the compiler from leaving the calls out

func callName(d contract.Driver, n int) error {
	for range n {
		lastName = d.Name()
	}
	return nil
}

// BenchmarkLookup measures how OpenDB finds a driver that is loaded, by its name.
func BenchmarkLookup(b *testing.B) {
	l, ctx := loaded(b), b.Context()
	runners := []runner{{name: keyway, run: func(n int) error {
		for range n {
			if _, err := l.Load(ctx, "sqlite"); err != nil {
				return err
			}
		}
		return nil
	}}}
	report(b, runners, takeTurns(b, runners), func(b *testing.B, i int) {
		b.ReportMetric(allocations(b, runners[i]), "allocations/op")
	})
}

// BenchmarkOpen opens a database and closes it, without a connection.
func BenchmarkOpen(b *testing.B) {
	var runners []runner
	ctx := b.Context()
	for _, s := range sides(b) {
		runners = append(runners, runner{name: s.name, run: func(n int) error {
			for range n {
				db, err := s.open(ctx, "never.db")
				if err != nil {
					return err
				}
				if err := db.Close(); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	report(b, runners, takeTurns(b, runners), nil)
}
