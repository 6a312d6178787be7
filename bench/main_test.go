//go:build linux

package bench

import (
	"os"
	"testing"

	"github.com/keyway-go/keyway/bench/remote"
	"github.com/keyway-go/keyway/drivers/sqlite"
)

func TestMain(m *testing.M) {
	switch {
	case remote.Asked():
		remote.Serve(sqlite.NewDriver())
	case os.Getenv(firstVar) != "":
		os.Exit(firstMain(os.Getenv(firstVar)))
	default:
		code := m.Run()
		if dir, err := cache(); err == nil {
			os.RemoveAll(dir)
		}
		os.Exit(code)
	}
}
