// Package autoloadtest shows that loader/autoload takes the place of a driver in
// applications that know nothing of Keyway. Its programs are such applications,
// with a driver linked in; the tests change the one import, run both, and compare
// what they say. It is a module of its own so that nobody gets the trees of what
// these applications are made with.
package autoloadtest
