// Command withdb runs a command with private database servers, which end with
// it:
//
//	withdb postgres mariadb -- drivercheck test ./drivers/postgres
//
// The command gets the environment variables KEYWAY_POSTGRES_DSN and
// KEYWAY_MYSQL_DSN. Its exit code is withdb's, except that it is 1 and not 0 when
// a server could not be stopped. Without a command, withdb prints the variables
// and runs until it is interrupted.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/keyway-go/keyway/internal/dbserver"
)

const usage = `usage: withdb PRODUCT... [-- COMMAND ARGS...]
products: postgres mariadb`

func main() {
	products, command, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "withdb: %v\n%s\n", err, usage)
		os.Exit(2)
	}
	code, err := run(products, command, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "withdb: %v\n", err)
	}
	os.Exit(code)
}

// parse splits the arguments at "--".
func parse(args []string) (products []dbserver.Product, command []string, err error) {
	names := args
	if i := slices.Index(args, "--"); i >= 0 {
		if names, command = args[:i], args[i+1:]; len(command) == 0 {
			return nil, nil, errors.New("no command follows --")
		}
	}
	for _, name := range names {
		p := dbserver.Product(name)
		if _, ok := variables[p]; !ok {
			return nil, nil, fmt.Errorf("there is no product %q", name)
		}
		if slices.Contains(products, p) {
			return nil, nil, fmt.Errorf("%s is given twice", name)
		}
		products = append(products, p)
	}
	if len(products) == 0 {
		return nil, nil, errors.New("no product is given")
	}
	return products, command, nil
}

// variables are the names under which DSNs are handed over.
var variables = map[dbserver.Product]string{
	dbserver.Postgres: "KEYWAY_POSTGRES_DSN",
	dbserver.MariaDB:  "KEYWAY_MYSQL_DSN",
}

// run starts the servers, runs the command and stops the servers. An error is
// of withdb itself.
func run(products []dbserver.Product, command []string, out io.Writer) (code int, err error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, ends...)
	defer signal.Stop(signals)
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	var env []string
	for _, p := range products {
		s, serr := dbserver.Start(ctx, p)
		if serr != nil {
			return 1, serr
		}
		defer func() { code, err = stopServer(s, code, err) }()
		env = append(env, variables[p]+"="+s.DSN)
	}
	if command == nil {
		for _, v := range env {
			fmt.Fprintf(out, "export %s\n", quote(v))
		}
		<-signals
		return 0, nil
	}
	return runCommand(command, env, signals)
}

// stopServer stops a server. A failure is one of the run, but hides no other.
func stopServer(s interface{ Stop() error }, code int, err error) (int, error) {
	if serr := s.Stop(); serr != nil {
		return cmp.Or(code, 1), errors.Join(err, serr)
	}
	return code, err
}

// ends are the signals that ask a program to end.
var ends = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// quote makes a word for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// runCommand runs the command and hands on signals.
func runCommand(command, env []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			// A terminal has sent these to the command as well, and many
			// commands take a second one for impatience.
			if s != os.Interrupt && s != syscall.SIGQUIT || !inForeground() {
				_ = cmd.Process.Signal(s)
			}
		case err := <-ended:
			return exitCode(cmd.ProcessState, err)
		}
	}
}

// exitCode is that of the command, or as a shell has it 128 and the number of
// the signal that killed it.
func exitCode(state *os.ProcessState, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, err
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return state.ExitCode(), nil
}
