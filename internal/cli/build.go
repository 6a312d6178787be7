package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/keyway-go/keyway/internal/gobuild"
	"github.com/keyway-go/keyway/loader/inspect"
)

func buildCommand() *cobra.Command {
	var out, program string
	cmd := &cobra.Command{
		Use:   "build DIR",
		Short: "Build the driver file of a driver's package",
		Long: `build compiles the package in DIR as a Go plugin that fits a program, or this
drivercheck: same toolchain, same flags. The package is an ordinary one, or a
package main, with

    //go:embed driver.json
    var DriverManifest string

    func NewDriver() contract.Driver

Every package of the driver that is not the standard library gets a path of the
driver's own, so that it clashes with nothing in the host or in other drivers;
sql.Register is not called, so a driver that wraps another one uses its connector
and not its name. The driver's own go.mod says what it is made of; a
go.work around it is ignored.

The file is called name-v1.2.0.so, after the manifest, and is written to the
current directory unless -o says otherwise.`,
		Example: `  drivercheck build ./drivers/sqlite
  drivercheck build ./drivers/sqlite --host /usr/bin/myapp
  drivercheck build ./drivers/sqlite -o /usr/lib/myapp/drivers/sqlite.so`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host, err := inspect.Self()
			if program != "" {
				host, err = readHost(program)
			}
			if err != nil {
				return err
			}
			spin := newSpinner(cmd.ErrOrStderr())
			r, err := gobuild.Build(cmd.Context(), gobuild.Options{Dir: args[0], Out: out, Host: host, Progress: spin.show})
			spin.end()
			if err != nil {
				return err
			}
			info, err := os.Stat(r.File)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s %s, %s\n", relative(r.File), r.Manifest.Name, r.Manifest.Version, megabytes(info.Size()))
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "the `file` to write")
	cmd.Flags().StringVar(&program, "host", "", "the `program` that is to load the file, or a profile of it (default: this drivercheck)")
	_ = cmd.MarkFlagFilename("output", "so")
	_ = cmd.MarkFlagFilename("host")
	cmd.ValidArgsFunction = completeDirs
	return cmd
}
