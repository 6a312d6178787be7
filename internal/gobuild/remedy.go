package gobuild

import (
	"fmt"
	"strings"
)

// failed says in words what a command of the go command was to do in a
// directory, and what to do about what it printed.
func failed(verb, dir, output string, err error) *Error {
	e := &Error{Wanted: "go " + verb + " to succeed in " + dir, Found: err.Error() + ", and this:", Output: strings.TrimRight(output, "\n"), Err: err}
	switch verb {
	case "list":
		e.Wanted = "a package in " + dir + " that the go command can read, with all that it imports"
	case "build":
		e.Wanted = "a package in " + dir + " that compiles"
	}
	for _, r := range remedies {
		if strings.Contains(output, r.said) {
			e.Remedy = fmt.Sprintf(r.remedy, dir)
			break
		}
	}
	return e
}

const fetch = "cd %s && GOWORK=off go mod download, with a GOPROXY that has the module; or go mod vendor, where it is"

// remedies are for what the go command says without a remedy, or with one that
// does not lead on. The first that it said counts. %s is the directory of the
// driver.
var remedies = []struct{ said, remedy string }{
	{"go.mod file not found", "cd %s && go mod init example.com/DRIVER && go mod tidy"},
	{"go.mod requires go >=", "lower the go version in %s/go.mod, or build for a host that was built with that Go"},
	{"no Go files in", "name the directory that holds the driver's package; %s does not"},
	{"build constraints exclude all Go files", "build for a host with the platform and tags that %s is for"},
	{"no required module provides", "cd %s && GOWORK=off go mod tidy"},
	{"missing go.sum entry", "cd %s && GOWORK=off go mod tidy"},
	{"updates to go.mod needed", "cd %s && GOWORK=off go mod tidy"},
	{"inconsistent vendoring", "cd %s && GOWORK=off go mod vendor"},
	{"checksum mismatch", "find out which of the two is the right one before you change %s/go.sum"},
	{"-fsanitize=", "take a C compiler with the sanitizer of the host: CC=clang drivercheck build %s, with the other arguments as before"},
	{"module lookup disabled by GOPROXY=off", fetch},
	{": reading file://", fetch},
	{": reading http", fetch},
	{": Get \"http", fetch},
}
