// Package bench holds benchmarks that need more than the module they measure:
// a driver that is linked in beside the same driver in a file.
//
//	go test -bench . ./bench
package bench
