// A host that probes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"example.com/fixture/probehost/early"
	"example.com/fixture/probehost/late"

	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
	_ "github.com/keyway-go/keyway/loader/probe"
)

type job struct {
	Cache    string
	Timeout  time.Duration
	Deadline time.Duration
	Loaders  int
	Each     int // loads of each loader, all at once
	File     string
	Forget   string
	DSN      string
	User     int // to become before anything is loaded, or 0
	NoArgs   bool
}

type outcome struct {
	Text  string
	Error *loader.LoadError
	Probe *loader.ProbeError
	Other string
	Value string
}

func main() {
	early.Log("MAIN_LOG", "main")
	late.Used()
	var j job
	check(json.Unmarshal([]byte(os.Args[1]), &j))
	if j.User != 0 {
		check(syscall.Setgid(j.User))
		check(syscall.Setuid(j.User))
	}
	out := os.Args[2]
	if j.NoArgs {
		os.Args = nil
	}
	ctx := context.Background()
	if j.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, j.Deadline)
		defer cancel()
	}
	outcomes := make([]outcome, j.Loaders*j.Each)
	var wg sync.WaitGroup
	for i := range j.Loaders {
		l, err := loader.New(loader.Config{CacheDir: j.Cache, Probe: true, ProbeTimeout: j.Timeout})
		check(err)
		if j.Forget != "" {
			check(l.Forget(j.Forget))
		}
		for k := range j.Each {
			wg.Go(func() { outcomes[i*j.Each+k] = load(ctx, l, j) })
		}
	}
	wg.Wait()
	text, err := json.Marshal(outcomes)
	check(err)
	check(os.WriteFile(out, text, 0o600))
}

func load(ctx context.Context, l *loader.SQL, j job) (o outcome) {
	d, err := l.LoadFile(ctx, j.File)
	if err == nil {
		o.Value = d.Manifest.Name
		if j.DSN != "" {
			db, err := l.OpenDB(ctx, d.Manifest.Name, j.DSN)
			check(err)
			defer db.Close()
			check(db.QueryRow("version").Scan(&o.Value))
		}
		return o
	}
	o.Text = err.Error()
	if !errors.As(err, &o.Error) {
		o.Other = err.Error()
		return o
	}
	errors.As(err, &o.Probe)
	o.Error.Err = nil // an interface does not survive JSON
	return o
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
