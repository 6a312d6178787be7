package sqlsuite

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What the presets lack, the servers lack: every other query is there.
func TestMySQLPresetsLack(t *testing.T) {
	shared := []Query{CountDeferred, CreateDeferred, EchoNamed, InsertDeferred, InsertRoot}
	for name, lacks := range map[string][]Query{
		"mysql":   append([]Query{InsertReturning, InsertThenKill}, shared...),
		"mariadb": shared,
	} {
		d := resolve(name)
		var found []Query
		for _, q := range slices.Sorted(maps.Keys(referencePreset.queries)) {
			_, ok, err := d.text(q, "table", "T", "n", "3", "column", "x")
			assert.NoError(t, err)
			if !ok {
				found = append(found, q)
			}
		}
		assert.ElementsMatch(t, lacks, found, name)
		assert.Equal(t, "?", d.placeholder(2), name)
		assert.False(t, d.loose, name)
	}
}
