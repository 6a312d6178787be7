// Command sqlsh is a small SQL shell that was compiled without a database
// driver: it takes any driver file by its name, or by the scheme of a URL.
//
//	sqlsh --drivers /usr/lib/myapp/drivers sqlite file:app.db
//	sqlsh --drivers /usr/lib/myapp/drivers postgres://me@localhost/app
//	echo 'select 1' | sqlsh --drivers /usr/lib/myapp/drivers sqlite :memory:
//
// A driver file must have been built for this program:
//
//	drivercheck build --host ./sqlsh ./drivers/sqlite
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/keyway-go/keyway/loader"
	// With it a driver file that crashes when it is loaded is an error, and not
	// the end of the shell.
	_ "github.com/keyway-go/keyway/loader/probe"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

type options struct {
	dirs    []string
	null    string
	history string
	csv     bool
}

// run is the program; it returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := newCommand(stdin, stdout, stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.Execute(); err != nil {
		report(stderr, err)
		return 1
	}
	return 0
}

func newCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "sqlsh [flags] [DRIVER] DSN",
		Short: "A SQL shell for any driver file",
		Long: `sqlsh opens a database with a driver that it was compiled without. DRIVER is the
driver's name, as in sqlite.so or sqlite-v1.2.0.so; without it, DSN is a URL, and
the driver is the one that claims its scheme.

Statements end with ";". Lines that begin with "\" or "." are commands of the
shell: \help lists them. Ctrl-C ends the statement that runs, Ctrl-D the shell.

If standard input is no terminal, its statements are run, of which the last needs
no ";", up to the first that fails; the exit status is 1 then.`,
		Example: `  sqlsh --drivers ./drivers sqlite file:app.db
  sqlsh --drivers ./drivers postgres://me@localhost/app
  echo 'select * from notes' | sqlsh --drivers ./drivers --csv sqlite file:app.db`,
		Args:          cobra.RangeArgs(1, 2),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return openAndRun(cmd.Context(), args, o, stdin, stdout, stderr)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.dirs, "drivers", nil, "the `directory` of driver files; may be repeated")
	flags.StringVar(&o.null, "null", "<NULL>", "the `text` that stands for NULL")
	flags.BoolVar(&o.csv, "csv", false, "write results as CSV")
	flags.StringVar(&o.history, "history", "", "the `file` that keeps the lines of terminals (default: sqlsh_history in keyway's directory of the user's cache)")
	_ = cmd.MarkFlagDirname("drivers")
	return cmd
}

func openAndRun(ctx context.Context, args []string, o options, stdin io.Reader, stdout, stderr io.Writer) error {
	if ctx == nil {
		ctx = context.Background()
	}
	cfg := loader.Config{Probe: true}
	for _, dir := range o.dirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		cfg.Dirs = append(cfg.Dirs, abs)
	}
	drivers, err := loader.New(cfg)
	if err != nil {
		return err
	}
	defer drivers.Close()
	db, err := open(ctx, drivers, args)
	if err != nil {
		return err
	}
	defer db.Close()

	s := &shell{drivers: drivers, db: db, out: stdout, errs: stderr, display: display{null: o.null, csv: o.csv}}
	defer s.disconnect()
	if isTerminal(stdin) && isTerminal(stdout) {
		return s.interact(ctx, o.history)
	}
	return s.batch(ctx, stdin)
}

// open opens the database that the arguments mean. Errors do not hold the DSN.
func open(ctx context.Context, drivers *loader.SQL, args []string) (*sql.DB, error) {
	if len(args) == 1 {
		return drivers.OpenURL(ctx, args[0])
	}
	return drivers.OpenDB(ctx, args[0], args[1])
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// report says an error: one line for the fault, and of a driver that was not
// loaded one more each for what was wanted, what was found, and what to do.
func report(w io.Writer, err error) {
	refused, ok := errors.AsType[*loader.LoadError](err)
	if !ok {
		fmt.Fprintf(w, "sqlsh: %s\n", printable(err.Error()))
		return
	}
	what := strings.TrimSpace("driver " + refused.Driver)
	if refused.File != "" {
		what += " (" + refused.File + ")"
	}
	fmt.Fprintf(w, "sqlsh: %s was refused at stage %s\n", printable(what), refused.Stage)
	for _, line := range [][2]string{{"wanted", refused.Wanted}, {"found", refused.Found}, {"remedy", refused.Remedy}} {
		if line[1] != "" {
			fmt.Fprintf(w, "  %-7s %s\n", line[0]+":", printable(line[1]))
		}
	}
}
