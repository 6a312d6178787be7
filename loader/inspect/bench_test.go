package inspect_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader/inspect"
)

// BenchmarkRead reads the facts of a driver file of 14 MB with 22,000 dynamic
// symbols.
func BenchmarkRead(b *testing.B) {
	file, err := os.Open(fixture.SQLite(b))
	require.NoError(b, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := inspect.Read(file, info.Size()); err != nil {
			b.Fatal(err)
		}
	}
}
