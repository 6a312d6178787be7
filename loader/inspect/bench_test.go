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

// BenchmarkReadAndFit reads that file and a program on disk, and judges the one
// for the other.
func BenchmarkReadAndFit(b *testing.B) {
	driver := fixture.SQLite(b)
	host := fixture.Build(b, fixture.Source{Name: "program", Args: []string{"-buildmode=exe"}, Files: map[string]string{
		"main.go": "package main\n\nimport (\n\t_ \"database/sql\"\n\t_ \"plugin\"\n)\n\nfunc main() {}\n"}})
	at := inspect.Place{Machine: inspect.ThisMachine()}
	for b.Loop() {
		d, err := inspect.ReadFile(driver)
		if err != nil {
			b.Fatal(err)
		}
		h, err := inspect.ReadHost(host)
		if err != nil {
			b.Fatal(err)
		}
		if misfits := inspect.FitIn(d, h, at); len(misfits) != 0 {
			b.Fatal(misfits)
		}
	}
}
