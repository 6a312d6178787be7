// Package bench measures what it costs to have a driver through Keyway: beside
// the same driver linked in, opened with package plugin by hand, and behind
// hashicorp/go-plugin. README.md is the result, and says how it came to be.
//
//	go test -bench .     # every benchmark, for a moment each
//	go run ./page        # measure thoroughly, and write README.md
package bench
