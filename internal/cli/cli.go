// Package cli is the command line of drivercheck: a file a verb.
//
// The voice: lower case; one line for the fault; below it, indented, one line
// each for evidence and remedy. Results go to standard output, everything else
// to standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/report"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/gobuild"
	"github.com/keyway-go/keyway/loader/inspect"
	"github.com/keyway-go/keyway/loader/isolate"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailed  = 1 // it could not do its work
	exitUsage   = 2 // it was called wrongly
	exitFinding = 3 // it found something: a misfit, a failed check
)

// errFinding ends a verb whose output has said already what was found.
var errFinding = errors.New("something was found")

// usageError is a wrong call.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// formatError is a file that is not what it should be.
type formatError struct {
	path, wanted string
	err          *inspect.FormatError
}

func (e *formatError) Error() string { return e.path + ": " + e.err.Error() }
func (e *formatError) Unwrap() error { return e.err }

// ofFile says of which file an error of package inspect is.
func ofFile(path string, err error) error {
	if fe, ok := errors.AsType[*inspect.FormatError](err); ok {
		return &formatError{path, "a driver file or a Go program", fe}
	}
	return fmt.Errorf("%s: %w", path, err)
}

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// Main runs the command for suites and returns its exit code. It must be the
// first thing that main does: the process may be a worker of a run, or a
// wrapper of a build.
func Main(suites ...conformance.AnySuite) int {
	isolate.Tool()
	for _, s := range suites {
		s.Worker()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second signal ends the process the usual way.
	context.AfterFunc(ctx, stop)
	// When the reader of the output goes away, the run ends like an interrupted
	// one: with its children ended and its files removed.
	ctx, stopPipe := signal.NotifyContext(ctx, syscall.SIGPIPE)
	defer stopPipe()
	root := newRoot(programName(), suites)
	err := checkSuites(suites)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	return exitCode(os.Stderr, root.Name(), err)
}

// programName is what the program is called as.
func programName() string {
	return strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
}

func newRoot(name string, suites suites) *cobra.Command {
	root := &cobra.Command{
		Use:   name,
		Short: "Build, inspect and test driver files",
		Long: `drivercheck builds driver files (Go plugins that promise a contract), tells what
is in them, and holds them to their contract: ` + suites.names() + `.

Exit codes: 0 all is well, 1 it could not do its work, 2 wrong usage,
3 it found something (a misfit, a failed check).`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				err := fmt.Errorf("there is no verb %q", args[0])
				if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
					return fmt.Errorf("%w\ndid you mean %s?", err, strings.Join(like, " or "))
				}
				return err
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usagef("%w\nsee: %s --help", err, cmd.CommandPath()) })
	root.AddCommand(testCommand(suites), buildCommand(), inspectCommand(), hostCommand(), checksCommand(suites), doctorCommand())
	if sql, ok := suites.of(contract.SQL.Name()); ok {
		// There is a driver to start from for this contract only.
		root.AddCommand(newCommand(sql.Info()))
	}
	markUsage(root)
	nameInHelp(root, name)
	return root
}

// nameInHelp writes the program's own name into what the help texts call
// drivercheck.
func nameInHelp(cmd *cobra.Command, name string) {
	cmd.Long = strings.ReplaceAll(cmd.Long, "drivercheck", name)
	cmd.Example = strings.ReplaceAll(cmd.Example, "drivercheck", name)
	for _, sub := range cmd.Commands() {
		nameInHelp(sub, name)
	}
}

// markUsage makes errors about arguments usage errors, which cobra does not
// tell apart from others.
func markUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				if cmd.HasParent() {
					err = fmt.Errorf("%w\nusage: %s", err, cmd.UseLine())
				}
				return usagef("%w\nsee: %s --help", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markUsage(sub)
	}
}

// version is the module's version, as far as the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	return info.Main.Version + " " + info.GoVersion
}

// exitCode says an error, and returns the exit code that it means.
func exitCode(w io.Writer, name string, err error) int {
	var usage *usageError
	var badOptions *conformance.UsageError
	var build *gobuild.Error
	var format *formatError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFinding):
		return exitFinding
	case errors.Is(err, syscall.EPIPE):
		return exitFailed // nobody reads any more
	case errors.Is(err, context.Canceled):
		say(w, name, "interrupted")
		return exitFailed
	case errors.As(err, &usage), errors.As(err, &badOptions):
		lines := strings.Split(err.Error(), "\n")
		say(w, name, lines[0], lines[1:]...)
		return exitUsage
	case errors.As(err, &build):
		say(w, name, "the driver was not built", evidence(build.Wanted, build.Found, build.Remedy, build.Output)...)
	case errors.As(err, &format):
		say(w, name, fmt.Sprintf("%s cannot be read as %s (%s)", format.path, format.wanted, format.err.Kind),
			evidence(format.err.Wanted, format.err.Found, format.err.Remedy, "")...)
	default:
		say(w, name, err.Error())
	}
	return exitFailed
}

func evidence(wanted, found, remedy, output string) []string {
	lines := []string{"wanted: " + wanted, "found: " + found}
	if output != "" {
		lines = append(lines, strings.Split(output, "\n")...)
	}
	if remedy != "" {
		lines = append(lines, "remedy: "+remedy)
	}
	return lines
}

func say(w io.Writer, name, fault string, lines ...string) {
	fmt.Fprintf(w, "%s: %s\n", name, report.Printable(fault))
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", report.Printable(line))
	}
}
