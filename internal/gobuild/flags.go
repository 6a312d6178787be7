package gobuild

import (
	"cmp"
	"slices"
	"strings"

	"github.com/keyway-go/keyway/loader/inspect"
)

// The flags that change compiled packages. The go command records only those
// that are set; here all are given, so that GOFLAGS has no say.
var (
	onOff  = []string{"-trimpath", "-race", "-msan", "-asan"}
	valued = []string{"-tags", "-gcflags", "-asmflags"}
)

// variables are the environment variables that change compiled packages, with
// the value that stands for one which is not recorded: the go command leaves
// out what is not set.
var variables = map[string]string{"GOEXPERIMENT": "", "GOFIPS140": "off",
	"CGO_ENABLED": "", "GOOS": "", "GOARCH": "", "GO386": "", "GOAMD64": "", "GOARM": "", "GOARM64": "",
	"GOMIPS": "", "GOMIPS64": "", "GOPPC64": "", "GORISCV64": ""}

// hostFlags returns the flags of the go command with which the host was built,
// as far as they matter to what it shares with a plugin.
func hostFlags(host *inspect.Facts) []string {
	var flags []string
	for _, f := range onOff {
		value := "false"
		if host.Settings[f] == "true" {
			value = "true"
		}
		flags = append(flags, f+"="+value)
	}
	for _, f := range valued {
		flags = append(flags, f+"="+host.Settings[f])
	}
	// The first two do not matter to what is shared; all could come from GOFLAGS.
	// A profile changes the standard library with the rest.
	return append(flags, "-ldflags=", "-cover=false", "-json=false", "-pgo="+cmp.Or(host.Settings["-pgo"], "off"))
}

// hostEnv returns the environment variables that go with hostFlags. A driver's
// own go.mod says what it is made of, whatever workspace is around it.
func hostEnv(host *inspect.Facts) []string {
	env := []string{"GOWORK=off"}
	for name, unset := range variables {
		env = append(env, name+"="+cmp.Or(host.Settings[name], unset))
	}
	return env
}

// listFlags are those of the flags that say which files belong to a package.
func (t *tool) listFlags() []string {
	return slices.DeleteFunc(slices.Clone(t.flags), func(f string) bool {
		name, _, _ := strings.Cut(f, "=")
		return !slices.Contains([]string{"-tags", "-race", "-msan", "-asan"}, name)
	})
}

// trimmed tells whether the go command itself makes paths independent of
// directories.
func (t *tool) trimmed() bool { return slices.Contains(t.flags, "-trimpath=true") }
