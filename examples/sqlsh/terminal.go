package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/peterh/liner"
)

// interact is the shell on a terminal. It ends without an error however its
// statements went.
func (s *shell) interact(ctx context.Context, historyFile string) error {
	line := liner.NewLiner()
	defer line.Close()
	line.SetCtrlCAborts(true)
	line.SetTabCompletionStyle(liner.TabPrints)
	line.SetCompleter(complete)
	history := openHistory(historyFile)
	history.read(line)
	defer history.write(line)

	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	defer restoreWhenEnded(ctx, line)()

	fmt.Fprintln(s.out, `statements end with ";"; \help lists the commands`)
	var pending splitter
	for {
		text, err := line.Prompt(prompt(pending.begun()))
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			pending = splitter{}
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(s.out)
			return nil
		case err != nil:
			return err
		}
		if strings.TrimSpace(text) != "" {
			line.AppendHistory(text)
		}
		err = interruptible(ctx, interrupts, func(ctx context.Context) error { return s.line(ctx, &pending, text+"\n") })
		if errors.Is(err, errQuit) {
			return nil
		}
		if err != nil {
			report(s.errs, err)
		}
	}
}

// restoreWhenEnded gives the terminal back when the process is told to end, until
// the function that it returns is called: it would stay as the line editor needs
// it.
func restoreWhenEnded(ctx context.Context, line *liner.State) (stop func()) {
	ended, cancel := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
	keep := context.AfterFunc(ended, func() {
		line.Close()
		os.Exit(1)
	})
	return func() {
		keep()
		cancel()
	}
}

func prompt(more bool) string {
	if more {
		return "  ...> "
	}
	return "sqlsh> "
}

// interruptible calls f with a context that ends at Ctrl-C, which so ends a
// statement and not the shell.
func interruptible(ctx context.Context, interrupts <-chan os.Signal, f func(context.Context) error) error {
	select {
	case <-interrupts: // that came too late for the statement before
	default:
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-interrupts:
			cancel()
		case <-ctx.Done():
		}
	}()
	return f(ctx)
}

// complete offers the commands that a line could be.
func complete(line string) []string {
	if !isCommand(line) {
		return nil
	}
	var offers []string
	for _, c := range commands() {
		if strings.HasPrefix(c.name, line[1:]) {
			offers = append(offers, line[:1]+c.name)
		}
	}
	return offers
}

// history is the file of lines that were entered, or "" for none. What goes wrong
// with it is not worth a word.
type history string

func openHistory(file string) history {
	if file != "" {
		return history(file)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir := filepath.Join(cache, "keyway")
	if os.MkdirAll(dir, 0o700) != nil {
		return ""
	}
	return history(filepath.Join(dir, "sqlsh_history"))
}

func (h history) read(line *liner.State) {
	if f, err := os.Open(string(h)); err == nil {
		defer f.Close()
		_, _ = line.ReadHistory(f)
	}
}

// write keeps the lines for this user only: statements hold secrets, too.
func (h history) write(line *liner.State) {
	if h == "" {
		return
	}
	if f, err := os.OpenFile(string(h), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err == nil {
		defer f.Close()
		_, _ = line.WriteHistory(f)
	}
}
