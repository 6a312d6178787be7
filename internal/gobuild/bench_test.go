package gobuild

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/loader/inspect"
)

const sqlite = "../../drivers/sqlite"

// BenchmarkWarm builds the sqlite driver again, when nothing but linking is to
// be done.
func BenchmarkWarm(b *testing.B) {
	host, err := inspect.Self()
	require.NoError(b, err)
	out := filepath.Join(b.TempDir(), "sqlite.so")
	again := func() {
		_, err := Build(b.Context(), Options{Dir: sqlite, Out: out, Host: host})
		require.NoError(b, err)
	}
	again()
	for b.Loop() {
		again()
	}
}

// BenchmarkCold compares isolated builds of the sqlite driver with plain ones,
// each with a cache that is empty. They take turns; run it with -benchtime=3x or
// so, since each build takes half a minute.
func BenchmarkCold(b *testing.B) {
	host, err := inspect.Self()
	require.NoError(b, err)
	dir, err := realDir(sqlite)
	require.NoError(b, err)
	plain := plainOverlay(b, dir)
	var isolated, ordinary []time.Duration
	for b.Loop() {
		b.Setenv("GOCACHE", b.TempDir())
		start := time.Now()
		_, err := Build(b.Context(), Options{Dir: sqlite, Out: filepath.Join(b.TempDir(), "sqlite.so"), Host: host})
		require.NoError(b, err)
		isolated = append(isolated, time.Since(start))

		b.Setenv("GOCACHE", b.TempDir())
		start = time.Now()
		t, err := newTool(b.Context(), dir, host)
		require.NoError(b, err)
		args := []string{"build", "-buildmode=plugin", "-buildvcs=false", "-o", filepath.Join(b.TempDir(), "sqlite.so"), "-overlay=" + plain}
		_, err = t.run(b.Context(), slices.Concat(args, t.flags, []string{"./" + mainFolder})...)
		require.NoError(b, err)
		ordinary = append(ordinary, time.Since(start))
	}
	slices.Sort(isolated)
	slices.Sort(ordinary)
	middle := len(isolated) / 2
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(isolated[middle]), "isolated-ns")
	b.ReportMetric(float64(ordinary[middle]), "plain-ns")
	b.ReportMetric(float64(isolated[middle])/float64(ordinary[middle]), "ratio")
}

// plainOverlay gives a driver a package main for an ordinary build.
func plainOverlay(b *testing.B, dir string) string {
	temp := b.TempDir()
	main := filepath.Join(temp, "main.go")
	text := "package main\n\nimport driver \"github.com/keyway-go/keyway/drivers/sqlite\"\n\nvar NewDriver = driver.NewDriver\n\nfunc main() {}\n"
	require.NoError(b, os.WriteFile(main, []byte(text), 0o600))
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(dir, mainFolder, "main.go"): main}})
	require.NoError(b, err)
	file := filepath.Join(temp, "overlay.json")
	require.NoError(b, os.WriteFile(file, list, 0o600))
	return file
}
