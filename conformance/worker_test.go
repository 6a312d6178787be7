package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
)

func TestRunRefusesInsideOfAWorker(t *testing.T) {
	file := goodWidget(t)
	t.Setenv("KEYWAY_CONFORMANCE_JOB", "somewhere")
	_, err := conformance.Run(t.Context(), suite(), options(file))
	require.ErrorContains(t, err, "Suite.Worker")
}
