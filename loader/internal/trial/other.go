//go:build !(linux || freebsd)

package trial

import (
	"context"
	"errors"
	"time"
)

// Main does nothing where there are no plugins.
func Main() { linked = true }

// Start fails where there are no plugins.
func Start(context.Context, time.Duration, Job) (*Result, error) {
	return nil, errors.ErrUnsupported
}
