package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files" // which drivercheck has, too
	"github.com/keyway-go/keyway/loader/inspect"
)

// plainOnly is what breaks when drivercheck build does not mind, since it takes
// everything from the host.
const plainOnly = "drivers from plain go build -buildmode=plugin; those of drivercheck build are not affected"

// program looks at the program that runs the checks.
func program(context.Context, *patient) Finding {
	if loader.Supported() {
		return Finding{Found: "this drivercheck can load driver files"}
	}
	return Finding{Status: Bad, Found: "a drivercheck that cannot load driver files", Breaks: "drivercheck test",
		Remedy: "CGO_ENABLED=1 go install github.com/keyway-go/keyway/cmd/drivercheck, on Linux or FreeBSD"}
}

func goCommand(_ context.Context, p *patient) Finding {
	wanted := inspect.Release(p.Host.GoVersion)
	const breaks = "drivercheck build, and drivercheck test of a directory"
	if p.goErr != "" {
		remedy := "install " + wanted + " from https://go.dev/dl/ and put its bin directory into PATH"
		if os.Getenv("GOTOOLCHAIN") != "" {
			remedy = "unset GOTOOLCHAIN, or " + remedy
		}
		return Finding{Status: Bad, Found: "go command: " + p.goErr, Breaks: breaks, Remedy: remedy}
	}
	found := fmt.Sprintf("%s, GOTOOLCHAIN=%s", p.goEnv["GOVERSION"], p.goEnv["GOTOOLCHAIN"])
	if inspect.Release(p.goEnv["GOVERSION"]) == wanted {
		return Finding{Found: found}
	}
	return Finding{Status: Bad, Found: found + ", and not the " + wanted + " of the program that loads the drivers", Breaks: breaks,
		Remedy: "export GOTOOLCHAIN=" + wanted}
}

// unset is how to take back a variable of the go command.
func unset(name string) string {
	if os.Getenv(name) != "" {
		return "unset " + name
	}
	return "go env -u " + name // it comes from the go command's own file
}

// defaults are the values of variables that the go command does not record.
var defaults = map[string]string{"GOEXPERIMENT": "", "GOFIPS140": "off"}

// platform compares the variables that change what is compiled.
func platform(_ context.Context, p *patient) Finding {
	if p.goErr != "" {
		return notAsked()
	}
	var found, remedies []string
	for _, name := range []string{"GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GOFIPS140"} {
		want, recorded := p.Host.Settings[name]
		fallback, known := defaults[name]
		got := p.goEnv[name]
		if !recorded && !known || got == cmp.Or(want, fallback) {
			continue
		}
		found = append(found, fmt.Sprintf("%s=%s, for a program with %q", name, got, cmp.Or(want, fallback)))
		remedies = append(remedies, unset(name))
	}
	if len(found) > 0 {
		return Finding{Status: Warn, Found: strings.Join(found, "; "), Breaks: plainOnly, Remedy: strings.Join(remedies, " && ")}
	}
	return Finding{Found: "builds are for " + p.goEnv["GOOS"] + "/" + p.goEnv["GOARCH"] + ", as the program is"}
}

// notAsked is for what only the go command knows.
func notAsked() Finding {
	return Finding{Status: Warn, Found: "not known without the go command", Breaks: "what the go command does", Remedy: "first see to the go command"}
}

// spoilers are flags that change compiled packages.
var spoilers = []string{"-trimpath", "-race", "-msan", "-asan", "-tags", "-gcflags", "-asmflags", "-cover", "-covermode", "-coverpkg"}

func flags(_ context.Context, p *patient) Finding {
	if p.goErr != "" {
		return notAsked()
	}
	var found []string
	for _, f := range strings.Fields(p.goEnv["GOFLAGS"]) {
		name, value, given := strings.Cut("-"+strings.TrimLeft(f, "-"), "=")
		if !given {
			value = "true"
		}
		for _, s := range spoilers {
			if name == s && cmp.Or(value, "false") != cmp.Or(p.Host.Settings[name], "false") {
				found = append(found, f)
			}
		}
	}
	if len(found) > 0 {
		return Finding{Status: Warn, Found: "GOFLAGS with " + strings.Join(found, " ") + ", and a program built without", Breaks: plainOnly, Remedy: unset("GOFLAGS")}
	}
	return Finding{Found: fmt.Sprintf("GOFLAGS=%q changes nothing that a driver shares", p.goEnv["GOFLAGS"])}
}

func cgo(_ context.Context, p *patient) Finding {
	switch {
	case p.goErr != "":
		return notAsked()
	case p.goEnv["CGO_ENABLED"] == "1":
		return Finding{Found: "CGO_ENABLED=1"}
	}
	f := Finding{Status: Warn, Found: "CGO_ENABLED=0", Breaks: plainOnly, Remedy: unset("CGO_ENABLED")}
	if os.Getenv("CGO_ENABLED") == "" {
		f.Remedy = "install a C compiler, or go env -u CGO_ENABLED"
	}
	return f
}

// trial needs a C library's header and its startup files, as a plugin does.
const trial = "#include <stdlib.h>\n#include <pthread.h>\nvoid *keyway(void) { return malloc(1); }\n"

// compiler makes a small shared library.
func compiler(ctx context.Context, p *patient) Finding {
	words := strings.Fields(cmp.Or(strings.TrimSpace(p.goEnv["CC"]), strings.TrimSpace(os.Getenv("CC")), "gcc"))
	cc := strings.Join(words, " ")
	bad := func(found string) Finding {
		return Finding{Status: Bad, Found: found, Breaks: "every build of a driver: plugins are linked by the C compiler",
			Remedy: "apt-get install gcc libc6-dev, or set CC to a C compiler that works"}
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		return bad("no C compiler " + cc + " in PATH")
	}
	dir, err := os.MkdirTemp("", "keyway-doctor-")
	if err != nil {
		return Finding{Status: Warn, Found: cc + ", not tried: " + err.Error(), Breaks: "perhaps nothing", Remedy: "first see to the temporary files"}
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "trial.c"), []byte(trial), 0o600); err != nil {
		return Finding{Status: Warn, Found: cc + ", not tried: " + err.Error(), Breaks: "perhaps nothing", Remedy: "first see to the temporary files"}
	}
	args := append(words[1:], "-shared", "-fPIC", "-pthread", "-o", "trial.so", "trial.c")
	if _, err := p.run(ctx, dir, words[0], args...); err != nil {
		return bad("a C compiler that does not make a shared library: " + err.Error())
	}
	for flag, sanitizer := range map[string]string{"-msan": "memory", "-asan": "address"} { // at most one is set
		if p.Host.Settings[flag] != "true" {
			continue
		}
		if _, err := p.run(ctx, dir, words[0], append(args, "-fsanitize="+sanitizer)...); err != nil {
			return Finding{Status: Bad, Found: cc + " without the " + sanitizer + " sanitizer, which the program has", Breaks: "every build of a driver for this program",
				Remedy: "apt-get install clang libclang-rt-dev, and export CC=clang"}
		}
	}
	return Finding{Found: cc + " makes shared libraries"}
}
