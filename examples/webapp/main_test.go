package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// nextSQLite returns the driver file of drivers/sqlite as it would be released
// under another version.
func nextSQLite(t *testing.T, version string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "drivers", "sqlite"))
	require.NoError(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	files := map[string]string{}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") && !strings.HasPrefix(name, "go.") && name != "driver.json" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		files[name] = string(text)
	}
	replace := func(file, old, new string) {
		require.Contains(t, files[file], old)
		files[file] = strings.Replace(files[file], old, new, 1)
	}
	replace("driver.json", `"version": "1.0.0"`, `"version": "`+version+`"`)
	replace("go.mod", "=> ../../contract", "=> "+filepath.Join(dir, "..", "..", "contract"))
	return fixture.Driver(t, fixture.Source{Name: "sqlite-" + version, Files: files})
}

// install puts a file into the directory under a name, at once, as its rules ask.
func install(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	part := filepath.Join(dir, name+".part")
	require.NoError(t, os.WriteFile(part, content, 0o600))
	require.NoError(t, os.Rename(part, filepath.Join(dir, name)))
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return content
}

// app is a service that runs.
type app struct {
	t    *testing.T
	url  string
	stop context.CancelFunc
	done chan error
	log  *strings.Builder // to be read when it has ended
}

func start(t *testing.T, o options) *app {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	a := &app{t: t, stop: stop, done: make(chan error, 1), log: new(strings.Builder)}
	t.Cleanup(stop)
	o.listen, o.log = "127.0.0.1:0", slog.New(slog.NewTextHandler(a.log, nil))
	listening := make(chan net.Addr, 1)
	o.listening = func(addr net.Addr) { listening <- addr }
	go func() { a.done <- serve(ctx, o) }()
	select {
	case addr := <-listening:
		a.url = "http://" + addr.String()
	case err := <-a.done:
		require.NoError(t, err, "%s", a.log)
	}
	return a
}

// call makes a request and decodes its answer.
func (a *app) call(method, path, body string, into any) error {
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// waitFor waits until /drivers has a line.
func (a *app) waitFor(want string) {
	a.t.Helper()
	var last []string
	require.Eventually(a.t, func() bool {
		var infos []driverInfo
		if err := a.call("GET", "/drivers", "", &infos); err != nil {
			last = []string{err.Error()}
			return false
		}
		last = last[:0]
		found := false
		for _, d := range infos {
			line := fmt.Sprintf("%s %s %s", d.Name, d.Version, d.State)
			if d.State != loader.Current && d.State != loader.Retiring && d.Connections != 0 {
				line += " with connections"
			}
			last = append(last, line)
			found = found || line == want
		}
		return found
	}, 30*time.Second, 20*time.Millisecond, "/drivers has no %q; the last answer was %q", want, &last)
}

// hammer makes requests from many goroutines until it is stopped.
type hammer struct {
	wg    sync.WaitGroup
	ended atomic.Bool
	calls atomic.Int64

	mu     sync.Mutex // protects following fields
	notes  []note
	faults []error
}

func (a *app) hammer() *hammer {
	h := &hammer{}
	for i := range 8 {
		h.wg.Go(func() {
			for n := 0; !h.ended.Load(); n++ {
				h.round(a, fmt.Sprintf("note %d of goroutine %d", n, i))
			}
		})
	}
	return h
}

func (h *hammer) round(a *app, body string) {
	var created, got note
	err := a.call("POST", "/notes", body, &created)
	if err == nil {
		err = a.call("GET", "/notes/"+created.ID, "", &got)
	}
	if err == nil && got != created {
		err = fmt.Errorf("wrote %v, read %v", created, got)
	}
	if err == nil {
		err = a.call("GET", "/healthz", "", nil)
	}
	h.calls.Add(3)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, created)
	if err != nil {
		h.faults = append(h.faults, err)
	}
}

// goesOn waits until more requests were made.
func (h *hammer) goesOn(t *testing.T) {
	t.Helper()
	before := h.calls.Load()
	require.Eventually(t, func() bool { return h.calls.Load() > before+100 }, 30*time.Second, 5*time.Millisecond, "requests hang")
}

func (h *hammer) stop(t *testing.T) []note {
	t.Helper()
	h.ended.Store(true)
	h.wg.Wait()
	assert.Empty(t, h.faults)
	return h.notes
}

func TestNewVersionUnderLoad(t *testing.T) {
	first, second := read(t, fixture.SQLite(t)), read(t, nextSQLite(t, "1.1.0"))
	dir := t.TempDir()
	install(t, dir, "sqlite-v1.0.0.so", first)
	a := start(t, options{drivers: dir, driver: "sqlite",
		dsn: "file:" + filepath.Join(t.TempDir(), "notes.db") + "?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(20000)"})
	a.waitFor("sqlite 1.0.0 current")
	h := a.hammer()
	h.goesOn(t)

	install(t, dir, "sqlite-v1.1.0.so", second)
	a.waitFor("sqlite 1.1.0 current")
	a.waitFor("sqlite 1.0.0 loaded") // which it is not while it has connections
	h.goesOn(t)

	// Half a file changes nothing.
	install(t, dir, "sqlite-v1.2.0.so", second[:len(second)/2])
	a.waitFor("sqlite 1.2.0 failed")
	a.waitFor("sqlite 1.1.0 current")
	h.goesOn(t)

	// Nothing was lost on the way.
	for _, n := range h.stop(t) {
		var got note
		if assert.NoError(t, a.call("GET", "/notes/"+n.ID, "", &got)) {
			assert.Equal(t, n, got)
		}
	}
	t.Logf("%d requests", h.calls.Load())
	a.stop()
	require.NoError(t, <-a.done)
	assert.Contains(t, a.log.String(), `msg="driver updated" driver=sqlite from=1.0.0 to=1.1.0`)
	assert.NotContains(t, a.log.String(), "notes.db")
	assert.NotContains(t, a.log.String(), "ERROR")
}

func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "sqlite.so", read(t, fixture.SQLite(t)))
	a := start(t, options{drivers: dir, driver: "sqlite", dsn: ":memory:"})
	assert.ErrorContains(t, a.call("GET", "/notes/none", "", nil), "404 Not Found: there is no such note")
	assert.ErrorContains(t, a.call("POST", "/notes", strings.Repeat("x", 64<<10+1), nil), "413")
	var empty, one []note
	assert.NoError(t, a.call("GET", "/notes", "", &empty))
	assert.Equal(t, []note{}, empty)
	var created note
	assert.NoError(t, a.call("POST", "/notes", "it's \"me\"", &created))
	assert.NoError(t, a.call("GET", "/notes", "", &one))
	assert.Equal(t, []note{created}, one)
	assert.Equal(t, "it's \"me\"", created.Body)
	a.stop()
	assert.NoError(t, <-a.done)
}

// A request that has begun is answered, and then nobody listens any more.
func TestShutdown(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "sqlite.so", read(t, fixture.SQLite(t)))
	a := start(t, options{drivers: dir, driver: "sqlite", dsn: ":memory:"})
	host := strings.TrimPrefix(a.url, "http://")
	conn, err := net.Dial("tcp", host)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("POST /notes HTTP/1.1\r\nHost: webapp\r\nContent-Length: 8\r\n\r\nbuy "))
	require.NoError(t, err)
	// The service has read that by the time it answers another request.
	require.NoError(t, a.call("GET", "/healthz", "", nil))
	a.stop()
	require.Eventually(t, func() bool {
		another, err := net.Dial("tcp", host)
		if err == nil {
			another.Close()
		}
		return err != nil
	}, 10*time.Second, 5*time.Millisecond, "the service still listens")
	_, err = conn.Write([]byte("milk"))
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusCreated, resp.StatusCode)
	assert.NoError(t, <-a.done)
}

func TestStartFails(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	err := serve(t.Context(), options{drivers: t.TempDir(), driver: "sqlite", dsn: "p4ssword", log: log})
	assert.ErrorContains(t, err, "wanted sqlite.so")
	assert.NotContains(t, err.Error(), "p4ssword")
	_, err = parse([]string{"sqlite", "x"})
	assert.ErrorContains(t, err, "--drivers")
}
