// Package conformance holds drivers to their contract.
//
// A [Check] is a value: a rule, where the rule comes from, and the code that
// tests it. A [Suite] is a contract with its checks. Run takes a suite and a
// driver file and returns a Report; every check runs in a process of its own,
// so that a crash, a hang or an os.Exit is the status of one check and the run
// goes on.
package conformance
