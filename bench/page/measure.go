package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/keyway-go/keyway/internal/procgroup"
)

// measure runs the benchmarks in processes of their own, so that what a process
// has by chance (where its memory lies) is part of the spread. It returns what
// they print, with what is to be known of the machine before it.
func measure(ctx context.Context, runs int, turns time.Duration) ([]byte, error) {
	dir, err := os.MkdirTemp("", "keyway-page-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "bench.test")
	if _, err := output(ctx, dir, "go", "test", "-c", "-o", program, "."); err != nil {
		return nil, err
	}
	var all bytes.Buffer
	fmt.Fprintf(&all, "go: %s\nprocessors: %d\nkernel: %s\nturns: %v\n", runtime.Version(), runtime.NumCPU(), kernel(), turns)
	for run := range runs {
		fmt.Fprintf(os.Stderr, "process %d of %d, load average %s\n", run+1, runs, load())
		fmt.Fprintf(&all, "\nrun: %d\nload: %s\n", run+1, load())
		out, err := output(ctx, dir, program, "-test.run=^$", "-test.bench=.", "-test.benchtime=1x", "-turns="+turns.String())
		if err != nil {
			return nil, err
		}
		all.Write(out)
	}
	return all.Bytes(), nil
}

// output runs a command whose temporary files are below a directory. When ctx
// ends, all that it started ends.
func output(ctx context.Context, temp, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	procgroup.Own(cmd)
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", name, err, out, stderr.Bytes())
	}
	return out, nil
}

func kernel() string { return firstLine("/proc/sys/kernel/osrelease") }

// load returns the load average of a minute.
func load() string { return strings.SplitN(firstLine("/proc/loadavg"), " ", 2)[0] }

func firstLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
