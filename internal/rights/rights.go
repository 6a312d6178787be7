// Package rights tells whether a process has rights that its starter may not
// have: then what the starter sets, such as environment variables, must not
// decide what code runs.
package rights
