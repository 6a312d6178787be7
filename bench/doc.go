// Package bench measures what it costs to have a driver through Keyway: beside
// the same driver linked in, opened with package plugin by hand, and behind
// hashicorp/go-plugin.
//
//	go test -bench .     # every benchmark, for a moment each
package bench
