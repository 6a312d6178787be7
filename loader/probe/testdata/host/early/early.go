// Package early is initialized before loader/probe.
package early

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func init() {
	Log("EARLY_LOG", "early")
	fmt.Println("a banner")
	if os.Getenv("EARLY") == "ignore children" {
		signal.Ignore(syscall.SIGCHLD)
	}
	if os.Getenv("KEYWAY_PROBE_CHILD") == "" {
		return
	}
	switch os.Getenv("EARLY") {
	case "exit":
		fmt.Fprintln(os.Stderr, "address in use")
		os.Exit(7)
	case "wait":
		time.Sleep(time.Hour)
	case "goroutines":
		for range 2000 {
			go time.Sleep(time.Hour)
		}
	case "more goroutines":
		go func() {
			for range time.Tick(time.Millisecond) {
				go time.Sleep(time.Hour)
			}
		}()
	}
}

// Log adds a line to the file of a variable, if there is one.
func Log(variable, line string) {
	if file := os.Getenv(variable); file != "" {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		fmt.Fprintln(f, line)
	}
}
