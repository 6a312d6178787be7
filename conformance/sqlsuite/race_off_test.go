//go:build !race

package sqlsuite_test

const raceEnabled = false
