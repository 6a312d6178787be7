//go:build linux

package bench

import "testing"

// Connections that follow the current version must cost no allocation, and nor may
// a plugin: the host's compiler and its own see the same code.
func TestNoAllocationAdded(t *testing.T) {
	all := []side{}
	for _, s := range sides(t) {
		if s.name != grpc {
			all = append(all, s)
		}
	}
	dbs := openAll(t, all)
	for _, j := range jobs {
		if j.here {
			continue // each side is at another place
		}
		t.Run(j.name, func(t *testing.T) {
			found := map[string]float64{}
			for i, s := range all {
				found[s.name] = allocations(t, j.runner(t, s.name, dbs[i]))
			}
			for _, pair := range [][2]string{{registered, linked}, {keyway, byHand}, {byHand, linked}} {
				if found[pair[0]] > found[pair[1]] {
					t.Errorf("%s: %v allocations, %s: %v", pair[0], found[pair[0]], pair[1], found[pair[1]])
				}
			}
		})
	}
}
