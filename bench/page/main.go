// Command page measures with the benchmarks of package bench and writes what it
// finds: the readings to results.txt, and README.md, which is made of them. Run it
// in the directory bench:
//
//	go run ./page
//
// It takes five to ten minutes, and wants a machine that does little else. With
// -render it only writes README.md again, of the readings that are there.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	resultsFile = "results.txt"
	pageFile    = "README.md"
)

func main() {
	runs := flag.Int("n", 10, "how many processes measure, one after the other")
	turns := flag.Duration("turns", 2*time.Second, "how long the sides of one benchmark take turns in each process")
	render := flag.Bool("render", false, "do not measure, only write "+pageFile)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := write(ctx, *runs, *turns, *render)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

func write(ctx context.Context, runs int, turns time.Duration, render bool) error {
	if !render {
		readings, err := measure(ctx, runs, turns)
		if err != nil {
			return err
		}
		if err := os.WriteFile(resultsFile, readings, 0o666); err != nil {
			return err
		}
	}
	readings, err := os.ReadFile(resultsFile)
	if err != nil {
		return err
	}
	text, err := page(bytes.NewReader(readings))
	if err != nil {
		return err
	}
	return os.WriteFile(pageFile, text, 0o666)
}
