//go:build linux

package loader

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
)

// What the dynamic linker refused holds no name, and loads once it can: here
// when the C function that it lacks has come into the process.
func TestOpenAgainAfterTheLinkerRefused(t *testing.T) {
	const newDriver = `

type drv struct{}

func (drv) Name() string { return "NAME" }
func (drv) OpenConnector(string) (driver.Connector, error) { return nil, nil }

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	CALL
	return drv{}
}`
	build := func(module, name, c, call string) string {
		return fixture.Build(t, fixture.Plain(module, fixture.Manifest(name, "1.0.0"), "// "+c+"\nimport \"C\"\nimport \"database/sql/driver\"\n"+
			strings.NewReplacer("NAME", name, "CALL", call).Replace(newDriver)))
	}
	lacking := build("lacking", "lacking", "int keyway_late(void);", "C.keyway_late()")
	another := build("lackingtoo", "lacking", "static int one(void) { return 1; } int keyway_late(void);", "C.keyway_late(); C.one()")
	l := newLoader(t, Config{})
	for _, file := range []string{lacking, another, lacking} { // of one name and version
		_, err := l.LoadFile(t.Context(), file)
		le := refused(t, err, StageOpen)
		require.Equal(t, "undefined symbol: keyway_late", le.Found)
		require.Contains(t, le.Remedy, "drivercheck build")
		require.True(t, removeUnused(filepath.Join(l.cfg.CacheDir, sumOf(t, file)+".so")), "it was not released")
	}
	load(t, l, build("late", "late", "int keyway_late(void) { return 1; }", "C.keyway_late()"))
	require.Equal(t, "lacking", load(t, l, lacking).Value.Name())
	_, err := l.LoadFile(t.Context(), another)
	refused(t, err, StageFit)
}

// A file of another loader that takes for ever holds up nobody who does not want
// to wait, and what is open already needs no turn.
func TestWaitingForAnotherLoader(t *testing.T) {
	load(t, newLoader(t, Config{}), good(t))
	other := fixture.Driver(t, fixture.Answering("waiting", "waiting", "1.0.0"))
	plugins.turn <- struct{}{} // an init function that does not return
	defer func() { <-plugins.turn }()
	l := newLoader(t, Config{})
	staged := filepath.Join(l.cfg.CacheDir, sumOf(t, other)+".so")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := l.LoadFile(ctx, other)
		ended <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(staged); return err == nil }, 20*time.Second, time.Millisecond)
	cancel()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on waiting")
	}
	require.True(t, removeUnused(staged), "it was not released")
	works(t, l, load(t, l, good(t)), "1.2.0")
}
