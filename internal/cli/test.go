package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/report"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/gobuild"
	"github.com/keyway-go/keyway/loader/inspect"
)

// testFlags are what the user asked of a run.
type testFlags struct {
	dsn       string
	config    string
	run       []string
	disable   []string
	timeout   time.Duration
	parallel  int
	json      bool
	inProcess bool
}

func testCommand(suites suites) *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test FILE.so or DIR",
		Short: "Hold a driver to its contract",
		Long: `test builds the driver if it is given a directory, inspects the file, loads it
in child processes, runs the checks of the contract that its manifest names, and
reports.

conformance.json beside the file or in the directory holds the DSN to test with
and the waivers: failures that are known, each with its reason. {{tempdir}} in a
DSN stands for a directory that each check has of its own, {{env:NAME}} for the
value of an environment variable.

Every check runs in a process of its own, so that a crash or a hang is the
status of one check. Exit code 3 says that a check failed that is not waived, or
that a waiver is out of date.`,
		Example: `  drivercheck test ./drivers/sqlite
  drivercheck test sqlite.so --dsn 'file:{{tempdir}}/test.db'
  drivercheck test ./drivers/sqlite --run tx --run rows/eof-exact
  drivercheck test ./drivers/sqlite --json > report.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runTest(cmd, suites, args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dsn, "dsn", "", "the `DSN` to test with, instead of the one in conformance.json")
	flags.StringVar(&f.config, "config", "", "the `file` to read instead of conformance.json")
	flags.StringSliceVar(&f.run, "run", nil, "run only these checks: an `ID`, a family (tx) or a pattern (tx/*); may be repeated")
	flags.StringSliceVar(&f.disable, "disable", nil, "do not run these checks, and say so in the report; may be repeated")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "the time that each check has")
	flags.IntVar(&f.parallel, "parallel", 0, "how many checks run at once (default: one for each CPU)")
	flags.BoolVar(&f.json, "json", false, "write the report as JSON")
	flags.BoolVar(&f.inProcess, "in-process", false, "run the checks in this process, one after the other, for a debugger")
	_ = cmd.MarkFlagFilename("config", "json")
	_ = cmd.RegisterFlagCompletionFunc("run", completeChecks(suites))
	_ = cmd.RegisterFlagCompletionFunc("disable", completeChecks(suites))
	cmd.ValidArgsFunction = completeDriver
	return cmd
}

func runTest(cmd *cobra.Command, suites suites, arg string, f testFlags) error {
	if f.timeout <= 0 || f.parallel < 0 {
		return usagef("wanted a --timeout above 0 and a --parallel of 0 or more, found %s and %d", f.timeout, f.parallel)
	}
	info, err := os.Stat(arg)
	if err != nil {
		return usagef("%s: %w", arg, errors.Unwrap(err))
	}
	cfg, err := readConfig(arg, info.IsDir(), f)
	if err != nil {
		return err
	}
	o := conformance.Options{Config: cfg, Run: f.run, Disable: f.disable, Parallel: f.parallel, InProcess: f.inProcess,
		Limits: conformance.Limits{Timeout: f.timeout}}
	s := newScreen(cmd.OutOrStdout(), cmd.ErrOrStderr(), f.json)
	var suite conformance.AnySuite
	choose := func(m contract.Manifest) error {
		chosen, err := suites.forDriver(m)
		if err != nil {
			return err
		}
		suite = chosen
		return withHint(suite.ValidateOptions(o), cmd.Root().Name(), cfg)
	}
	o.File = arg
	if info.IsDir() {
		temp, terr := os.MkdirTemp("", "keyway-test-")
		if terr != nil {
			return terr
		}
		defer os.RemoveAll(temp)
		o.File, err = buildForTest(cmd.Context(), s, arg, temp, choose)
	} else {
		if err = choose(manifestOf(arg, info, suites)); err != nil {
			// That the file is none matters more than what else is missing.
			if _, unreadable := inspectFile(arg); unreadable != nil {
				err = unreadable
			}
		}
	}
	if err != nil {
		return err
	}
	return s.run(cmd.Context(), suite, o, repeatCommand(cmd.Root().Name(), arg, f))
}

// manifestOf returns the manifest of a driver file. One that has none is taken
// to be for the first contract, whose checks then say what is wrong with it.
func manifestOf(file string, info fs.FileInfo, suites suites) contract.Manifest {
	none := contract.Manifest{Contract: contract.ContractRef{Name: suites[0].Info().Name}}
	if !info.Mode().IsRegular() {
		return none
	}
	facts, err := inspect.ReadFile(file)
	if err != nil {
		return none
	}
	m, err := contract.ParseManifest([]byte(facts.Manifest))
	if err != nil {
		return none
	}
	return m
}

// withHint adds what to do to an error of the options.
func withHint(err error, program string, cfg conformance.Config) error {
	var usage *conformance.UsageError
	switch {
	case !errors.As(err, &usage):
		return err
	case cfg.DSN == "" && strings.Contains(err.Error(), "DSN"):
		return usagef("%w\ngive --dsn, or write conformance.json beside the driver: {\"dsn\": \"...\"}", err)
	case strings.Contains(err.Error(), "environment variable"):
		return usagef("%w\nset it, or give --dsn", err)
	case strings.HasPrefix(err.Error(), "no check matches"):
		return usagef("%w\n%s checks lists them", err, program)
	}
	return err
}

// readConfig reads conformance.json, from beside the driver unless told where.
func readConfig(arg string, isDir bool, f testFlags) (conformance.Config, error) {
	file := f.config
	if file == "" {
		dir := arg
		if !isDir {
			dir = filepath.Dir(arg)
		}
		file = filepath.Join(dir, "conformance.json")
	}
	cfg, err := conformance.ReadConfig(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.config == "":
		cfg = conformance.Config{}
	case err != nil:
		return cfg, &usageError{err}
	}
	if f.dsn != "" {
		cfg.DSN = f.dsn
	}
	return cfg, nil
}

// buildForTest builds the driver in a directory if its manifest is accepted,
// since a build can take minutes.
func buildForTest(ctx context.Context, s *screen, dir, temp string, accept func(contract.Manifest) error) (string, error) {
	host, err := inspect.Self()
	if err != nil {
		return "", err
	}
	start := time.Now()
	spin := newSpinner(s.err)
	r, err := gobuild.Build(ctx, gobuild.Options{Dir: dir, Out: filepath.Join(temp, "driver.so"), Host: host, Progress: spin.show,
		Accept: func(m contract.Manifest) error {
			if err := accept(m); err != nil {
				return err
			}
			s.step("build", dir+" ...")
			return nil
		}})
	spin.end()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(r.File)
	if err != nil {
		return "", err
	}
	s.step("built", fmt.Sprintf("%s %s, %s, in %.1f s", r.Manifest.Name, r.Manifest.Version, megabytes(info.Size()), time.Since(start).Seconds()))
	// The loader compares the file's name with the manifest where it has the
	// form of one.
	named := filepath.Join(temp, r.Manifest.Name+"-v"+r.Manifest.Version+".so")
	return named, os.Rename(r.File, named)
}

// repeatCommand is how to run one check of this run again.
func repeatCommand(program, arg string, f testFlags) string {
	args := []string{quote(program), "test", quote(arg)}
	if f.dsn != "" {
		args = append(args, "--dsn", quote(f.dsn))
	}
	if f.config != "" {
		args = append(args, "--config", quote(f.config))
	}
	return strings.ReplaceAll(strings.Join(args, " "), "%", "%%") + " --run %s"
}

// quote makes a word for a shell.
func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@,+", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// screen is what the user sees of a run.
type screen struct {
	out, err io.Writer
	json     bool
	text     report.Text
	bar      *bar
}

func newScreen(out, err io.Writer, json bool) *screen {
	s := &screen{out: out, err: err, json: json, text: report.Text{W: out, Color: wantsColor(out)}}
	if isTerminal(err) {
		s.bar = newBar(err)
	}
	return s
}

// step says what is being done. With --json standard output is not for that.
func (s *screen) step(what, detail string) {
	w := s.out
	if s.json {
		w = s.err
	}
	fmt.Fprintf(w, "%-6s %s\n", what, detail)
}

// run holds a driver to a suite and reports; command is how to run one check of
// it again.
func (s *screen) run(ctx context.Context, suite conformance.AnySuite, o conformance.Options, command string) error {
	start := time.Now()
	o.Progress = s.progress
	r, err := suite.Run(ctx, o)
	s.endProgress()
	if r == nil {
		return err
	}
	if werr := s.report(r, command, time.Since(start)); werr != nil {
		return werr
	}
	if err != nil {
		return err
	}
	if !r.OK() {
		return errFinding
	}
	return nil
}

func (s *screen) progress(p conformance.Progress) {
	switch {
	case s.bar != nil:
		s.bar.show(p)
	case p.Result == nil:
		if !s.json {
			s.step("test", fmt.Sprintf("%d checks", p.Total))
		}
	case !s.json:
		s.text.Line(*p.Result)
	}
}

func (s *screen) endProgress() {
	if s.bar != nil {
		s.bar.end()
	}
}

func (s *screen) report(r *conformance.Report, command string, took time.Duration) error {
	if s.json {
		return report.JSON(s.out, r)
	}
	s.text.Command = command
	s.text.Write(r)
	_, err := fmt.Fprintf(s.out, "sha256 %s, %.1f s\n", r.Driver.SHA256, took.Seconds())
	return err
}
