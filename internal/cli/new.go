package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/scaffold"
	"github.com/keyway-go/keyway/loader"
)

// newFlags are what the user asked of a new driver.
type newFlags struct {
	dir, module, contract, keyway string
}

func newCommand(known conformance.ContractInfo) *cobra.Command {
	var f newFlags
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a driver to start from",
		Long: `new writes a module with a driver that builds, passes the checks that its small
database can be put to, and is tested. NAME is the driver's name, as hosts will
ask for it: it matches [a-z][a-z0-9_-]{0,63}.

The driver itself imports the standard library only. Its test runs the suite under
go test, and finds Keyway in the release that this drivercheck is of. One that was
built from a checkout is of no release: then go.mod takes Keyway from that
checkout, or from the one that --keyway names.

The directory appears complete or not at all. One that is there already must be
empty.`,
		Example: `  drivercheck new hello
  drivercheck build hello
  drivercheck test hello

  drivercheck new my-db --module example.org/me/my-db -o ./drivers/mydb
  drivercheck new hello --contract 'sql@^1.0'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runNew(cmd, known, args[0], f)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.dir, "output", "o", "", "the `directory` to write (default: NAME)")
	flags.StringVar(&f.module, "module", "", "the `path` of the module (default: example.com/NAME)")
	flags.StringVar(&f.contract, "contract", defaultContract(known), "the `contract` that the driver is for, and the versions of it that it accepts")
	flags.StringVar(&f.keyway, "keyway", "", "the `directory` of a checkout of Keyway, instead of a release")
	_ = cmd.MarkFlagDirname("output")
	_ = cmd.MarkFlagDirname("keyway")
	_ = cmd.RegisterFlagCompletionFunc("module", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("contract", cobra.FixedCompletions([]string{defaultContract(known)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// defaultContract is the one that is known: "sql@^1.0".
func defaultContract(known conformance.ContractInfo) string {
	parts := strings.SplitN(known.Version, ".", 3)
	return known.Name + "@^" + parts[0] + "." + parts[1]
}

func runNew(cmd *cobra.Command, known conformance.ContractInfo, name string, f newFlags) error {
	ref, err := parseContract(known, f.contract)
	if err != nil {
		return err
	}
	o := scaffold.Options{Dir: f.dir, Module: f.module, Manifest: contract.Manifest{Name: name, Contract: ref}}
	if o.Dir == "" {
		o.Dir = name
	}
	if o.Keyway, err = findKeyway(f.keyway); err != nil {
		return asUsage(err)
	}
	r, err := scaffold.Write(cmd.Context(), o)
	if err != nil {
		return asUsage(err)
	}
	if r.Untidy != nil {
		say(cmd.ErrOrStderr(), cmd.Root().Name(), "go mod tidy failed; the driver builds without it, its go test does not",
			append(strings.Split(r.Untidy.Error(), "\n"), "remedy: cd "+quote(o.Dir)+" && go mod tidy")...)
	}
	return writeNew(cmd.OutOrStdout(), cmd.Root().Name(), o, r)
}

// parseContract reads "sql@^1.0", or a name alone, and checks it against the
// contract that drivers are held to here.
func parseContract(known conformance.ContractInfo, text string) (contract.ContractRef, error) {
	var ref contract.ContractRef
	var hasVersion bool
	ref.Name, ref.Version, hasVersion = strings.Cut(text, "@")
	if ref.Name != known.Name {
		return ref, usagef("there is no contract %q here\nknown: %s %s", ref.Name, known.Name, known.Version)
	}
	if !hasVersion {
		_, ref.Version, _ = strings.Cut(defaultContract(known), "@")
	}
	if err := loader.Accepts(ref.Version, known.Version); err != nil {
		return ref, usagef("--contract %s: %w", text, err)
	}
	return ref, nil
}

// findKeyway finds what the tests of the new module are to import.
func findKeyway(dir string) (scaffold.Keyway, error) {
	if dir != "" {
		return scaffold.Checkout(dir)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		if k, ok := scaffold.Release(info); ok {
			return k, nil
		}
	}
	if k, ok := scaffold.Source(); ok {
		return k, nil
	}
	return scaffold.Keyway{}, usagef("this drivercheck is of no release, and the checkout it was built from is not known or not there\ngive --keyway DIR, the directory of a checkout of Keyway")
}

// asUsage marks what the user can put right by another call.
func asUsage(err error) error {
	if _, ok := errors.AsType[*scaffold.InputError](err); ok {
		return &usageError{err}
	}
	return err
}

func writeNew(w io.Writer, program string, o scaffold.Options, r scaffold.Result) error {
	for _, name := range r.Files {
		fmt.Fprintf(w, "wrote  %s\n", filepath.Join(o.Dir, filepath.FromSlash(name)))
	}
	if o.Keyway.Dir != "" {
		fmt.Fprintf(w, "note   go.mod takes Keyway from %s, for go test; README.md says how to change that\n", o.Keyway.Dir)
	}
	dir := quote(o.Dir)
	_, err := fmt.Fprintf(w, "\nnext:\n  %s build %s\n  %[1]s test %[2]s\n", program, dir)
	return err
}
