// Package dep is found in a directory.
package dep

const Text = "directory VERSION"
