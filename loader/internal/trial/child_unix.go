//go:build linux || freebsd

package trial

import (
	"bufio"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/keyway-go/keyway/internal/procgroup"
	"github.com/keyway-go/keyway/internal/rights"
)

// The descriptors that a child is started with.
const (
	jobFD = 3 + iota
	reportFD
	stdoutFD
)

// maxJob bounds the first line of the job.
const maxJob = 64 << 10

// Main does the job of a child and ends the process. In any other process it
// returns at once.
func Main() {
	linked = true
	token, ok := os.LookupEnv(Variable)
	if !ok {
		return
	}
	// Nothing that the child starts is one.
	_ = os.Unsetenv(Variable)
	job, parent, err := recognize(token)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s is set, but this process is no child that tries a driver file: %v; unset it\n", Variable, err)
		os.Exit(2)
	}
	go func() {
		// Other errors are a driver's that closes what is not its own.
		if _, err := io.Copy(io.Discard, parent); err == nil {
			_ = procgroup.KillSelf() // the parent is gone
		}
	}()
	if err := work(job); err != nil {
		fmt.Fprintln(os.Stderr, "cannot report on a driver file:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// recognize checks that this process is meant to be a child, and returns its job
// and a reader that ends with the parent.
func recognize(token string) (job Job, parent io.Reader, err error) {
	// A child kills its group.
	if syscall.Getpgrp() != os.Getpid() {
		return job, nil, errors.New("it has no process group of its own")
	}
	for fd := jobFD; fd <= stdoutFD; fd++ {
		var st syscall.Stat_t
		if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFIFO {
			return job, nil, fmt.Errorf("descriptor %d is no pipe", fd)
		}
		syscall.CloseOnExec(fd)
	}
	r := bufio.NewReaderSize(os.NewFile(jobFD, "job"), maxJob)
	line, err := r.ReadSlice('\n')
	if err != nil {
		return job, nil, errors.New("there is no job")
	}
	if err := json.Unmarshal(line, &job); err != nil {
		return job, nil, errors.New("the job is not readable")
	}
	if job.Token == "" || subtle.ConstantTimeCompare([]byte(token), []byte(job.Token)) != 1 {
		return job, nil, errors.New("the job is another's")
	}
	return job, r, nil
}

// work does the job and reports. What the program's own init functions have
// printed to standard output before is not the driver's doing, and went nowhere.
func work(job Job) error {
	if err := redirect(stdoutFD, syscall.Stdout); err != nil {
		return err
	}
	if err := syscall.Close(stdoutFD); err != nil {
		return err
	}
	report := json.NewEncoder(os.NewFile(reportFD, "report"))
	if err := rights.Gained(); err != nil {
		return report.Encode(message{Doing: Leave, Fault: &Fault{Wanted: "a program that has no more rights than its starter", Found: err.Error(),
			Remedy: "set loader.Config.Probe to false in this program, or start it otherwise"}})
	}
	var failed error
	doing := func(d Doing) {
		if err := report.Encode(message{Doing: d}); err != nil && failed == nil {
			failed = err
		}
	}
	before, err := look()
	if err != nil {
		return err
	}
	var fault *Fault
	marked(func() { fault = try(job, doing) })
	if fault == nil {
		fault = before.changed()
	}
	if err := report.Encode(message{Doing: Leave, Fault: fault}); err != nil {
		return err
	}
	return failed
}
