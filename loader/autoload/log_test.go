package autoload

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHandler(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	// Drivers are given a logger before the program may set its own.
	l := slog.New(handler{}).With("a", 1).WithGroup("g").With("b", 2)

	var out bytes.Buffer
	level := new(slog.LevelVar)
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	l.Info("not shown")
	l.Warn("bad", "c", 3)
	level.Set(slog.LevelDebug)
	l.Info("well", "c", 4)
	l.Log(t.Context(), slog.LevelDebug-1, "not shown either")
	require.Equal(t, "level=WARN msg=bad a=1 g.b=2 g.c=3\nlevel=DEBUG msg=well a=1 g.b=2 g.c=4\n", out.String())
}
