package conformance_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// widget is a contract made for these tests: a driver that does what it is
// told, however bad.
type widget = interface {
	Name() string
	Do(what string) error
}

var widgets = contract.MustDefine[widget]("widget", "1.2.0")

// suite has a check for everything that can become of one. Their drivers do it.
func suite() *conformance.Suite[widget] {
	do := func(id, what string) conformance.Check[widget] {
		return conformance.Check[widget]{ID: id, Level: conformance.Must, Rule: "Do does " + what + ".", Source: "this test",
			Run: func(t *conformance.T, s *conformance.Subject[widget]) {
				if err := s.New().Do(what); err != nil {
					t.Errorf("%v", err)
				}
			}}
	}
	checks := []conformance.Check[widget]{
		do("do/nothing", "nothing"),
		do("do/fail", "fail"),
		do("do/panic", "panic"),
		do("do/panic-elsewhere", "panic elsewhere"),
		do("do/exit", "exit"),
		do("do/hang", "hang"),
		do("do/spin-in-c", "stop"),
		do("do/child", "child"),
		do("do/noise", "noise"),
	}
	return &conformance.Suite[widget]{Contract: widgets, Adapt: adapt(), Checks: append(checks,
		conformance.Check[widget]{ID: "t/unsupported", Level: conformance.May, Rule: "Unsupported.", Source: "this test", Gate: "Doer",
			Run: func(t *conformance.T, s *conformance.Subject[widget]) { t.Unsupported("no %s", "Doer") }},
		conformance.Check[widget]{ID: "t/setup", Level: conformance.May, Rule: "Setup.", Source: "this test",
			Run: func(t *conformance.T, s *conformance.Subject[widget]) {
				t.Setup(nil, "be here")
				t.Setup(os.ErrClosed, "make a %s", "table")
			}},
		conformance.Check[widget]{ID: "t/subject", Level: conformance.May, Rule: "The subject is complete.", Source: "this test",
			Run: func(t *conformance.T, s *conformance.Subject[widget]) {
				dsn := filepath.Join(t.TempDir(), cmp.Or(os.Getenv("WIDGET_FILE"), "file"))
				if s.Manifest.Name != "widget" || s.Facts == nil || s.File == "" || s.DSN != dsn {
					t.Errorf("%+v, directory %s", s, t.TempDir())
				}
				if err := os.WriteFile(s.DSN, []byte("left behind"), 0o600); err != nil {
					t.Errorf("%v", err)
				}
			}},
	)}
}

// adapted is a widget that fails where a good one does nothing.
type adapted struct{ widget }

func (a adapted) Do(what string) error {
	if what == "nothing" {
		return fmt.Errorf("%s was adapted", a.Name())
	}
	return a.widget.Do(what)
}

// adapt returns the suite's Adapt if the environment asks for it, also that of a
// worker.
func adapt() func(func() widget) func() widget {
	if os.Getenv("WIDGET_ADAPT") == "" {
		return nil
	}
	return func(newDriver func() widget) func() widget {
		return func() widget { return adapted{newDriver()} }
	}
}

// linkedWidget is a driver that is part of this program.
type linkedWidget struct{ calls int }

func (*linkedWidget) Name() string { return "linked" }
func (w *linkedWidget) Do(what string) error {
	w.calls++
	switch what {
	case "fail":
		return errors.New("it failed")
	case "exit":
		os.Exit(0)
	}
	return nil
}

func TestMain(m *testing.M) {
	err := loader.Register("linked", func() widget { return &linkedWidget{} }, strings.ReplaceAll(widgetManifest, `"name":"widget","version":"1.0.0"`, `"name":"linked","version":"3.2.1"`))
	if err != nil {
		panic(err)
	}
	suite().Worker()
	if file := os.Getenv("WIDGET_PARENT"); file != "" {
		// The parent that TestParentDies kills.
		_, err := conformance.Run(context.Background(), suite(), conformance.Options{File: file, Run: []string{"do/hang"},
			Config: conformance.Config{DSN: "x"}, Limits: conformance.Limits{Timeout: time.Minute}})
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const widgetManifest = `{"name":"widget","version":"1.0.0","contract":{"name":"widget","version":"^1.1"}}`

// widgetSource is a good widget, whose declarations of a name can be replaced.
func widgetSource(module, manifest, newDriver string) fixture.Source {
	return fixture.Source{Name: module, Files: map[string]string{"main.go": fmt.Sprintf(`package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"
)

var DriverManifest = %q

type Widget = interface {
	Name() string
	Do(what string) error
}

type drv struct{ name string }

var named = func(d *drv) string { return d.name }

func (d *drv) Name() string { return named(d) }

func (d *drv) Do(what string) error {
	switch what {
	case "fail":
		return errors.New("it failed")
	case "panic":
		panic("it panicked")
	case "panic elsewhere":
		go panic("it panicked elsewhere")
		select {}
	case "exit":
		fmt.Println("about to leave")
		os.Exit(0)
	case "hang":
		os.WriteFile(os.Getenv("WIDGET_HANGS"), []byte(fmt.Sprint(os.Getpid())), 0o600)
		select {}
	case "stop":
		// A stopped process answers nothing, not even its own timer.
		p, _ := os.FindProcess(os.Getpid())
		p.Signal(stop)
		time.Sleep(time.Hour)
	case "child":
		cmd := exec.Command("sleep", "3600")
		cmd.Start()
		return os.WriteFile(os.Getenv("WIDGET_CHILD"), []byte(fmt.Sprint(cmd.Process.Pid)), 0o600)
	case "noise":
		fmt.Println(strings.Repeat("noise\n", 20000))
	}
	return nil
}

var made atomic.Int64

%s
`, manifest, newDriver), "stop.go": "package main\n\nimport \"syscall\"\n\nconst stop = syscall.SIGSTOP\n"}}
}

const goodNew = `func NewDriver() Widget { made.Add(1); return &drv{"widget"} }`
