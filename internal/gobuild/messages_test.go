package gobuild

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMessages(t *testing.T) {
	var seen []string
	m := messages{packages: map[string]bool{"a.b/c": true, "fmt": true}, progress: func(pkg string) { seen = append(seen, pkg) }}
	for _, part := range []string{"fm", "t\n# a.b/c\na.b", "/c\nx.go:1:2: wrong\nfmt"} {
		n, err := m.Write([]byte(part))
		assert.NoError(t, err)
		assert.Equal(t, len(part), n)
	}
	assert.Equal(t, []string{"fmt", "a.b/c"}, seen)
	assert.Equal(t, "# a.b/c\nx.go:1:2: wrong\nfmt", m.text())

	silent := messages{packages: map[string]bool{"fmt": true}}
	_, _ = silent.Write([]byte("fmt\n"))
	assert.Equal(t, "fmt\n", silent.text())
}
