package inspect

import (
	"bytes"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var mutations = flag.Int("mutations", 40, "how many bytes TestMutatedTables changes in each table")

// mutation is a byte of a driver file that is changed.
type mutation struct {
	table string
	start uint64 // of the table in the file
	off   uint64 // in the table
	to    byte
}

func (m mutation) String() string { return fmt.Sprintf("%s+%#x = %#x", m.table, m.off, m.to) }

// mutate chooses bytes in every table that the dynamic linker follows.
func mutate(t *testing.T, content []byte, count int) []mutation {
	parsed, err := elf.NewFile(bytes.NewReader(content))
	require.NoError(t, err)
	where := map[string][2]uint64{"program headers": {64, uint64(len(parsed.Progs)) * 56}}
	for _, name := range []string{".dynamic", ".rela.dyn", ".rela.plt", ".gnu.version", ".gnu.version_r", ".gnu.hash", ".dynsym", ".dynstr", ".init_array"} {
		s := parsed.Section(name)
		require.NotNil(t, s, name)
		where[name] = [2]uint64{s.Offset, s.FileSize}
	}
	rng := rand.New(rand.NewPCG(4, 2))
	var all []mutation
	for _, name := range slices.Sorted(maps.Keys(where)) {
		for range count {
			m := mutation{table: name, start: where[name][0], off: rng.Uint64N(where[name][1])}
			m.to = content[m.start+m.off] ^ byte(1+rng.UintN(255))
			all = append(all, m)
		}
	}
	return all
}

// A byte that was changed in a table of the dynamic linker's is found before the
// file is opened, or does not end the process there. Deaths in Go are told and
// no failure: an address in Go's data that was changed is as good as any.
func TestMutatedTables(t *testing.T) {
	host := build(t, program)
	content := build(t, tiny.with("-ldflags=-s -w")).bytes(t)
	hostFacts, dir := host.facts(t), t.TempDir()
	work := make(chan mutation)
	var mu sync.Mutex // protects count
	count := map[string]map[string]int{}
	var group sync.WaitGroup
	for worker := range 2 {
		group.Go(func() {
			path := filepath.Join(dir, fmt.Sprint(worker))
			for m := range work {
				changed := bytes.Clone(content)
				changed[m.start+m.off] = m.to
				end, text := "refused", ""
				if f, err := readBytes(changed); err == nil && len(FitIn(f, hostFacts, Place{Machine: ThisMachine()})) == 0 {
					assert.NoError(t, os.WriteFile(path, changed, 0o600))
					end, text = openIn(host, path)
				}
				if end == diedInLinker {
					t.Errorf("%v: %s", m, text)
				} else if end == diedInGo {
					t.Logf("%v: %s", m, text)
				}
				mu.Lock()
				if count[m.table] == nil {
					count[m.table] = map[string]int{}
				}
				count[m.table][end]++
				mu.Unlock()
			}
		})
	}
	for _, m := range mutate(t, content, *mutations) {
		work <- m
	}
	close(work)
	group.Wait()
	for _, table := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%s: %v", table, count[table])
	}
	loaded := 0
	for _, ends := range count {
		loaded += ends["loaded"]
	}
	assert.NotZero(t, loaded, "nothing was tried")
}

const (
	diedInLinker = "died in the linker"
	diedInGo     = "died in Go"
)

// openIn has a host open a file, and says how that ended and the first lines of
// what it wrote.
func openIn(host file, path string) (end, text string) {
	cmd := exec.Command(string(host), path)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return diedInLinker, err.Error()
	}
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	text = strings.Join(strings.SplitN(out.String(), "\n", 12), " | ")
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "loaded", ""
	case errors.As(err, &exit) && exit.ExitCode() == 9:
		return "error", text
	case strings.Contains(text, "during cgo execution") || !strings.Contains(out.String(), "goroutine "):
		return diedInLinker, text
	}
	return diedInGo, text
}
