package cli

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/keyway-go/keyway/loader/inspect"
)

func hostCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "host PROGRAM",
		Short: "Write a profile of a program, to build and check drivers for it",
		Long: `host reads a program, without running it, and writes its profile as JSON: Go
version, platform, build settings, modules, the fingerprints of its packages, and
the contracts that it says it provides.
Whoever has the profile can build drivers for the program, and check whether they
fit, without having the program.`,
		Example: `  drivercheck host /usr/bin/myapp > myapp.json
  drivercheck build ./drivers/sqlite --host myapp.json
  drivercheck inspect sqlite.so --host myapp.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			facts, err := readHost(args[0])
			if err != nil {
				return err
			}
			return inspect.WriteProfile(cmd.OutOrStdout(), facts)
		},
	}
	return cmd
}

// readHost reads a program or the profile of one.
func readHost(path string) (*inspect.Facts, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, usagef("%s: %w", path, errors.Unwrap(err))
	}
	const remedy = "name the program, or a profile of it: drivercheck host PROGRAM > profile.json"
	if !info.Mode().IsRegular() {
		return nil, usagef("%s: wanted a program that loads driver files, found %s\n%s", path, irregular(info), remedy)
	}
	facts, err := inspect.ReadHost(path)
	if fe, ok := errors.AsType[*inspect.FormatError](err); ok {
		ofHost := *fe
		if fe.Kind == inspect.NotELF || fe.Kind == inspect.NotGo {
			ofHost.Remedy = remedy
		}
		return nil, &formatError{path, "a Go program or a profile of one", &ofHost}
	}
	if err != nil {
		return nil, ofFile(path, err)
	}
	if facts.BuildMode == "plugin" {
		return nil, usagef("%s: wanted a program that loads driver files, found a plugin\n%s", path, remedy)
	}
	return facts, nil
}
