// Package dep is not what is vendored.
package dep

const Text = "directory"
