// A driver that misbehaves on demand, so that one build serves all tests.
package main

/*
static void crash(void) { *(volatile int *)0 = 1; }
*/
import "C"

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

var DriverManifest = `{"name":"misbehaving","version":"1.0.0","contract":{"name":"sql","version":"^1.0"}}`

// told is what the driver does if MISBEHAVE says nothing. The corpus of bad files
// has a file for each word, with other bytes here.
var told = "nothing but what the environment says"

func misbehaviour() string {
	if m := os.Getenv("MISBEHAVE"); m != "" {
		return m
	}
	return strings.TrimSpace(told)
}

type drv struct{}

func (drv) Name() string {
	switch misbehaviour() {
	case "Name differs":
		return "imposter"
	case "Name panics":
		panic("no name")
	}
	return "misbehaving"
}

func (drv) OpenConnector(string) (driver.Connector, error) { return nil, errors.ErrUnsupported }

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	switch misbehaviour() {
	case "NewDriver panics":
		panic("no driver")
	case "NewDriver is nil":
		return nil
	case "NewDriver loops":
		select {}
	case "NewDriver exits":
		os.Exit(5)
	case "NewDriver Goexit":
		runtime.Goexit()
	case "NewDriver prints":
		fmt.Print("made")
	}
	return drv{}
}

// log adds a line to the file of a variable, if there is one.
func log(variable string, value any) {
	if file := os.Getenv(variable); file != "" {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		fmt.Fprintln(f, value)
	}
}

func init() {
	log("MISBEHAVE_PIDS", os.Getpid())
	if _, ok := os.LookupEnv("KEYWAY_PROBE_CHILD"); ok {
		panic("what this starts would be a child, too")
	}
	switch misbehaviour() {
	case "panic":
		panic("in\x1b[2Jinit")
	case "panic much":
		panic("much" + strings.Repeat("\x01", 1<<20))
	case "Goexit":
		runtime.Goexit()
	case "exit 0":
		os.Exit(0)
	case "exit 3":
		fmt.Fprintln(os.Stderr, "first\nsecond")
		os.Exit(3)
	case "exit 4":
		os.Exit(4)
	case "loop":
		for {
		}
	case "wait":
		time.Sleep(time.Hour)
	case "C crash":
		C.crash()
	case "SIGSEGV":
		raise(syscall.SIGSEGV)
	case "SIGABRT":
		raise(syscall.SIGABRT)
	case "SIGKILL":
		raise(syscall.SIGKILL)
	case "SIGTERM":
		raise(syscall.SIGTERM)
	case "SIGSTOP":
		raise(syscall.SIGSTOP)
	case "print":
		fmt.Print("hello\x1b[2J")
	case "print much":
		fmt.Print(strings.Repeat("much ", 1<<20))
	case "print to standard error":
		fmt.Fprintln(os.Stderr, "only told")
	case "close standard output":
		syscall.Close(1)
	case "close standard error":
		syscall.Close(2)
	case "replace standard output":
		syscall.Close(1)
		syscall.Open("/dev/null", syscall.O_WRONLY, 0)
	case "close what is not its own":
		syscall.Close(3)
		syscall.Close(4)
	case "chdir":
		os.Chdir("/")
	case "goroutine":
		go func() {
			for range time.Tick(time.Second) {
				fmt.Println("later")
			}
		}()
	case "goroutine of a goroutine":
		go func() { go func() { <-make(chan int) }() }()
	case "short goroutine":
		go time.Sleep(10 * time.Millisecond)
	case "goroutine panics":
		go panic("elsewhere")
		time.Sleep(time.Hour)
	case "child":
		sleep(false)
		os.Exit(4)
	case "child of its own session":
		sleep(true)
		os.Exit(4)
	}
}

func raise(s syscall.Signal) {
	syscall.Kill(os.Getpid(), s)
	time.Sleep(time.Hour)
}

// sleep starts a process that stays, and holds all output open.
func sleep(session bool) {
	cmd := exec.Command("sleep", "300")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	log("MISBEHAVE_PIDS", cmd.Process.Pid)
}

func main() {}
