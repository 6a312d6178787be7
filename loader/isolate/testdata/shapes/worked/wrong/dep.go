// Package dep is what the workspace would use.
package dep

const Text = "workspace"
