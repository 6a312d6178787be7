//go:build linux

package probe_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader/internal/trial"
)

// BenchmarkProbe tells how long a child takes, from its start until nothing of
// it is left, with this test binary as the program. The median counts.
func BenchmarkProbe(b *testing.B) {
	for _, driver := range []struct{ name, file string }{{"good", good(b)}, {"sqlite", fixture.SQLite(b)}} {
		b.Run(driver.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				r, err := trial.Start(b.Context(), time.Minute, trial.Job{File: driver.file, Driver: driver.name})
				took = append(took, time.Since(start))
				require.NoError(b, err)
				require.Equal(b, trial.Leave, r.Doing, "%s", &r.Stderr)
				require.Nil(b, r.Fault)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2]), "median-ns")
		})
	}
}
