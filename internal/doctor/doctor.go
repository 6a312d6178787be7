// Package doctor looks at a machine, and says what would keep it from building
// and loading driver files, and what to do about it.
package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/keyway-go/keyway/internal/procgroup"
	"github.com/keyway-go/keyway/loader/inspect"
)

// Status is the result of a check.
type Status string

// The results, from good to bad.
const (
	OK   Status = "ok"   // all is well
	Warn Status = "warn" // some things break
	Bad  Status = "bad"  // what most people need breaks
)

// Finding is what a check found.
type Finding struct {
	// Check is the name of the check.
	Check string `json:"check"`
	// Status is OK if the check found nothing.
	Status Status `json:"status"`
	// Found is what is there, in words.
	Found string `json:"found"`
	// Breaks is what does not work because of it, or "".
	Breaks string `json:"breaks,omitempty"`
	// Remedy is what to do about it, a command where there is one, or "".
	Remedy string `json:"remedy,omitempty"`
}

// Options say what to look at besides the environment.
type Options struct {
	// CacheDir is loader.Config.CacheDir.
	CacheDir string
	// Host are the facts of the program for which drivers are to be built.
	Host *inspect.Facts
	// Timeout is for each command that a check runs; 0 means 30 seconds.
	Timeout time.Duration
}

// patient is the machine as the checks see it.
type patient struct {
	Options
	goErr string            // why there is no goEnv, or ""
	goEnv map[string]string // of go env
	limit func(resource) (soft uint64, limited bool)
}

// checks are done in this order.
var checks = []struct {
	name string
	look func(context.Context, *patient) Finding
}{
	{"program", program},
	{"go", goCommand},
	{"platform", platform},
	{"flags", flags},
	{"cgo", cgo},
	{"c compiler", compiler},
	{"build cache", buildCache},
	{"temporary files", temporary},
	{"driver cache", driverCache},
	{"open files", openFiles},
	{"memory", memory},
	{"file size", fileSize},
	{"processes", processes},
}

// Examine does all checks, in the current directory. It runs the go command and
// the C compiler, and leaves no file but the directory of the driver cache. The
// error is ctx.Err().
func Examine(ctx context.Context, o Options) ([]Finding, error) {
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	p := &patient{Options: o, limit: limitOf}
	p.askGo(ctx)
	found := make([]Finding, 0, len(checks))
	for _, c := range checks {
		f := c.look(ctx, p)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f.Check = c.name
		f.Status = cmp.Or(f.Status, OK)
		found = append(found, f)
	}
	return found, nil
}

// asked are the variables that the checks look at. For others the go command
// would need a C compiler and directories that it can write to.
var asked = []string{"GOVERSION", "GOTOOLCHAIN", "GOFLAGS", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GOFIPS140",
	"CGO_ENABLED", "CC", "GOCACHE", "GOTMPDIR"}

// askGo asks the go command for its environment, once for all checks.
func (p *patient) askGo(ctx context.Context) {
	if _, err := exec.LookPath("go"); err != nil {
		p.goErr = "none in PATH"
		return
	}
	out, err := p.run(ctx, "", "go", append([]string{"env", "-json"}, asked...)...)
	if err == nil {
		err = json.Unmarshal(out, &p.goEnv)
	}
	if err != nil {
		p.goErr = "one that does not run: " + err.Error()
	}
}

// run runs a command and returns its standard output; the error has what it
// said on the other.
func (p *patient) run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	procgroup.Own(cmd)
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s did not end within %s", name, p.Timeout)
	}
	if err != nil {
		said := strings.ReplaceAll(strings.TrimSpace(stderr.String()), "\n", "; ")
		return nil, fmt.Errorf("%w: %.400s", err, cmp.Or(said, "it said nothing"))
	}
	return out, nil
}

// canWrite tries to write a file into a directory, and leaves nothing.
func canWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".keyway-doctor-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = f.Write([]byte("x"))
	return err
}
