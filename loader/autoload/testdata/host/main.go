// A program that finds its drivers by sql.Open. It does what its arguments say,
// one after the other, and writes what came of each to the file RESULTS.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	_ "example.com/fixture/autohost/early"

	"github.com/keyway-go/keyway/loader"
	"github.com/keyway-go/keyway/loader/autoload"
)

func main() {
	if level := os.Getenv("LEVEL"); level != "" {
		var l slog.Level
		check(l.UnmarshalText([]byte(level)))
		slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: l})))
	}
	var results [][]string
	for _, arg := range os.Args[1:] {
		verb, rest, _ := strings.Cut(arg, " ")
		results = append(results, verbs[verb](rest))
	}
	text, err := json.Marshal(results)
	check(err)
	check(os.WriteFile(os.Getenv("RESULTS"), text, 0o600))
}

var (
	kept  *sql.DB
	verbs = map[string]func(string) []string{
		"drivers": func(string) []string { return sql.Drivers() },
		// Without a query: what sql.Open itself says.
		"open": func(name string) []string {
			db, err := sql.Open(name, "dsn")
			if err == nil {
				err = db.Close()
			}
			return []string{said(err)}
		},
		"query": func(name string) []string { return []string{query(name)} },
		"twenty": func(name string) []string {
			all, start := make([]string, 20), make(chan struct{})
			var wg sync.WaitGroup
			for i := range all {
				wg.Go(func() {
					<-start
					all[i] = query(name)
				})
			}
			close(start)
			wg.Wait()
			return all
		},
		"keep": func(name string) []string {
			db, err := sql.Open(name, "dsn")
			check(err)
			kept = db
			return []string{ask(kept)}
		},
		"kept": func(string) []string { return []string{ask(kept)} },
		// As a tracing package does.
		"rename": func(names string) []string {
			from, to, _ := strings.Cut(names, " ")
			db, err := sql.Open(from, "dsn")
			check(err)
			sql.Register(to, db.Driver())
			return []string{said(db.Close())}
		},
		"raw": func(name string) []string {
			db, err := sql.Open(name, "dsn")
			check(err)
			defer db.Close()
			for range 2 {
				c, err := db.Driver().Open("bare")
				check(err)
				check(c.Close())
			}
			_, err = db.Driver().Open("bad")
			return []string{said(err)}
		},
		"install": func(paths string) []string {
			from, to, _ := strings.Cut(paths, " ")
			check(os.Rename(from, to))
			return nil
		},
		"refresh": func(string) []string {
			changes, err := autoload.Loader().Refresh(context.Background())
			check(err)
			var all []string
			for _, c := range changes {
				all = append(all, fmt.Sprintf("%s %s %s", c.Name, c.From, c.To))
			}
			return all
		},
		"list": func(string) []string {
			var all []string
			for _, s := range autoload.Loader().Drivers() {
				all = append(all, fmt.Sprintf("%s %s %s %d", s.Name, s.Version, s.State, s.Connections))
			}
			return all
		},
		"close": func(string) []string { return []string{said(autoload.Loader().Close())} },
	}
)

func query(name string) string {
	db, err := sql.Open(name, "dsn")
	if err != nil {
		return said(err)
	}
	defer db.Close()
	return ask(db)
}

func ask(db *sql.DB) (version string) {
	if err := db.QueryRow("version").Scan(&version); err != nil {
		return said(err)
	}
	return version
}

func said(err error) string {
	var le *loader.LoadError
	if errors.As(err, &le) {
		return "LoadError " + err.Error()
	}
	return fmt.Sprint(err)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
