// Package secret is nobody else's business.
package secret

const Text = "secret VERSION"
