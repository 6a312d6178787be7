// Package dep is what go.mod says.
package dep

const Text = "module"
