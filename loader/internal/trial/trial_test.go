package trial

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExcerpt(t *testing.T) {
	var e Excerpt
	_, err := e.Write([]byte("one\ntwo\xff\n\n"))
	require.NoError(t, err)
	require.Equal(t, "one\ntwo?", e.String())
	require.Equal(t, 10, e.Total())

	var long Excerpt
	for _, part := range []string{"first ", strings.Repeat("x", excerptSize), strings.Repeat("y", 3*excerptSize), " last"} {
		_, err := long.Write([]byte(part))
		require.NoError(t, err)
	}
	text := long.String()
	require.True(t, strings.HasPrefix(text, "first x"))
	require.True(t, strings.HasSuffix(text, "y last"))
	require.Contains(t, text, "\n... 4107 bytes ...\n")
	require.Equal(t, 4*excerptSize+11, long.Total())
}
