package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyway-go/keyway/conformance/report"
	"github.com/keyway-go/keyway/internal/doctor"
	"github.com/keyway-go/keyway/loader/inspect"
)

// diagnosis is what doctor --json prints.
type diagnosis struct {
	// OK says that no check found anything.
	OK     bool             `json:"ok"`
	Checks []doctor.Finding `json:"checks"`
}

func doctorCommand() *cobra.Command {
	var asJSON bool
	var program, cacheDir string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what on this machine would keep drivers from being built and loaded",
		Long: `doctor looks at the go command and its settings, the C compiler, the directories
for what is built and for the private copies of drivers, and the limits of this
process. Of what is not as it should be it says what breaks, and what to do.

The go command is asked in the current directory, whose go.mod can choose a
toolchain. The directory of private copies is made if it is missing. Exit code 3
says that something was found.`,
		Example: `  drivercheck doctor
  drivercheck doctor --host /usr/bin/myapp --cache-dir /var/cache/myapp/drivers
  drivercheck doctor --json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDoctor(cmd, program, cacheDir, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.Flags().StringVar(&program, "host", "", "the `program` that is to load drivers, or a profile of it (default: this drivercheck)")
	cmd.Flags().StringVar(&cacheDir, "cache-dir", "", "the `directory` for private copies, as in the program's loader.Config.CacheDir")
	_ = cmd.MarkFlagFilename("host")
	_ = cmd.MarkFlagDirname("cache-dir")
	return cmd
}

func runDoctor(cmd *cobra.Command, program, cacheDir string, asJSON bool) error {
	host, err := inspect.Self()
	if program != "" {
		host, err = readHost(program)
	}
	if err != nil {
		return err
	}
	if cacheDir != "" {
		if cacheDir, err = filepath.Abs(cacheDir); err != nil {
			return err
		}
	}
	found, err := doctor.Examine(cmd.Context(), doctor.Options{CacheDir: cacheDir, Host: host})
	if err != nil {
		return err
	}
	d := diagnosis{OK: true, Checks: found}
	for _, f := range found {
		d.OK = d.OK && f.Status == doctor.OK
	}
	if err := d.print(cmd.OutOrStdout(), asJSON); err != nil {
		return err
	}
	if !d.OK {
		return errFinding
	}
	return nil
}

func (d diagnosis) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(d)
	}
	var b strings.Builder
	for _, f := range d.Checks {
		fmt.Fprintf(&b, "%-4s  %-15s  %s\n", f.Status, f.Check, report.Printable(f.Found))
		if f.Status != doctor.OK {
			fmt.Fprintf(&b, "      breaks  %s\n      remedy  %s\n", report.Printable(f.Breaks), report.Printable(f.Remedy))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
