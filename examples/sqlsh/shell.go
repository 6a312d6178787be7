package main

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader"
)

// shell runs statements and commands.
type shell struct {
	drivers *loader.SQL
	db      *sql.DB
	// conn is the one connection that all statements share, so that
	// transactions and temporary tables work; nil if there is none yet.
	conn      *sql.Conn
	out, errs io.Writer
	display   display
	timing    bool
}

// errQuit ends the shell.
var errQuit = errors.New("quit")

// commands are what a line can begin with, after "\" or ".".
func commands() []command {
	return []command{
		{"drivers", "list the drivers that there are, and what became of them", (*shell).listDrivers},
		{"help", "list the commands", (*shell).help},
		{"quit", "leave the shell, as Ctrl-D does", func(*shell) error { return errQuit }},
		{"timing", "tell of each statement how long it takes, or stop that", func(s *shell) error {
			s.timing = !s.timing
			return nil
		}},
	}
}

type command struct {
	name, help string
	do         func(*shell) error
}

// command runs a line that is one, such as "\drivers"; a beginning that could be
// only one of them is enough.
func (s *shell) command(line string) error {
	name := strings.TrimSpace(line[1:])
	var found []command
	for _, c := range commands() {
		if name != "" && strings.HasPrefix(c.name, name) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("there is no command %q; \\help lists them", strings.TrimSpace(line))
	}
	return found[0].do(s)
}

func isCommand(line string) bool { return strings.HasPrefix(line, `\`) || strings.HasPrefix(line, ".") }

func (s *shell) help() error {
	for _, c := range commands() {
		if _, err := fmt.Fprintf(s.out, "\\%-9s %s\n", c.name, c.help); err != nil {
			return err
		}
	}
	return nil
}

func (s *shell) listDrivers() error {
	var rows []table.Row
	var failed []loader.Status
	for _, d := range s.drivers.Drivers() {
		rows = append(rows, table.Row{d.Name, d.Version, d.State, d.Connections, cmp.Or(d.File, "part of the program")})
		if d.Err != nil {
			failed = append(failed, d)
		}
	}
	_, err := fmt.Fprintln(s.out, renderTable(table.Row{"name", "version", "state", "connections", "file"}, rows, nil))
	for _, d := range failed {
		report(s.out, d.Err)
	}
	return err
}

// batch runs the statements and commands of a text up to the first that fails.
func (s *shell) batch(ctx context.Context, text io.Reader) error {
	var pending splitter
	lines := bufio.NewReader(text)
	for {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		last := err == io.EOF
		err = s.line(ctx, &pending, line)
		if err == nil && last {
			if rest := pending.take(); rest != "" {
				err = s.statement(ctx, rest)
			}
		}
		if errors.Is(err, errQuit) {
			return nil
		}
		if err != nil || last {
			return err
		}
	}
}

// line runs what a line completes.
func (s *shell) line(ctx context.Context, pending *splitter, line string) error {
	if !pending.begun() && isCommand(line) {
		return s.command(line)
	}
	for _, statement := range pending.feed(line) {
		if err := s.statement(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// statement runs one statement and shows what it gives.
func (s *shell) statement(ctx context.Context, statement string) error {
	start := time.Now()
	err := s.execute(ctx, statement)
	if err != nil {
		s.checkConnection()
		if ctx.Err() != nil {
			return errors.New("the statement was interrupted")
		}
		return s.explained(err)
	}
	if s.timing {
		fmt.Fprintf(s.errs, "took %s\n", time.Since(start).Round(10*time.Microsecond))
	}
	return nil
}

func (s *shell) execute(ctx context.Context, statement string) error {
	if s.conn == nil {
		conn, err := s.db.Conn(ctx)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	if !changesOnly(statement) {
		rows, err := s.conn.QueryContext(ctx, statement)
		if err != nil {
			return err
		}
		defer rows.Close()
		return s.display.rows(s.out, rows)
	}
	result, err := s.conn.ExecContext(ctx, statement)
	if err != nil || s.display.csv {
		return err
	}
	changed, err := result.RowsAffected()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s changed\n", counted(changed, "row"))
	return err
}

// checkConnection gives up a connection that does not answer after a statement
// failed, so that the next statement gets another one.
func (s *shell) checkConnection() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if s.conn.PingContext(ctx) != nil {
		s.disconnect()
		fmt.Fprintln(s.errs, "sqlsh: the connection was lost, and a transaction with it; the next statement makes a new one")
	}
}

func (s *shell) disconnect() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// explained adds what the driver says of its error in the terms that all drivers
// share.
func (s *shell) explained(err error) error {
	for _, known := range s.drivers.Drivers() {
		d, ok := s.drivers.Driver(known.Name)
		if !ok || known.State != loader.Current {
			continue
		}
		if state := contract.SQLStateOf(d.Value, err); state != "" {
			return fmt.Errorf("%w (SQLSTATE %s, %s)", err, state, contract.CodeOfState(state).Code())
		}
	}
	return err
}
