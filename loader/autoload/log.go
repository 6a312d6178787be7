package autoload

import (
	"context"
	"log/slog"
)

// handler hands messages to slog.Default as it is when they come: programs set
// it after this package is initialized. What is no warning it calls debug.
type handler struct {
	with []func(slog.Handler) slog.Handler
}

func (h handler) current() slog.Handler {
	to := slog.Default().Handler()
	for _, with := range h.with {
		to = with(to)
	}
	return to
}

func quiet(level slog.Level) slog.Level {
	if level < slog.LevelWarn {
		return min(level, slog.LevelDebug)
	}
	return level
}

// Enabled implements [slog.Handler].
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return slog.Default().Handler().Enabled(ctx, quiet(level))
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = quiet(r.Level)
	return h.current().Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.and(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	return h.and(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h handler) and(with func(slog.Handler) slog.Handler) slog.Handler {
	return handler{append(h.with[:len(h.with):len(h.with)], with)}
}
