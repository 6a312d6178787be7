//go:build linux

package badfiles_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/badfiles"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// bad is one file of the corpus, and how a loader refuses it.
type bad struct {
	family, name string
	step
	content func() []byte // written to File, unless that is there

	// stages are those of which one refuses the file if Config.Probe is set,
	// and bare the one that does if not. "" stands for a file that may then do
	// what it likes.
	stages []loader.Stage
	bare   loader.Stage

	driver                string // LoadError.Driver
	wanted, found, remedy string // parts of the texts
	is                    string // what errors.Is or As finds without a probe
}

// refusedAt says that one stage refuses the file, with Config.Probe and without.
func refusedAt(stage loader.Stage, b bad) bad {
	b.stages, b.bare = []loader.Stage{stage}, stage
	return b
}

// corpus returns all bad files.
func corpus(t *testing.T) []bad {
	t.Helper()
	var all []bad
	for _, group := range []func(*testing.T) []bad{paths, foreign, damaged, misfits, manifests, agreements, exports, code} {
		all = append(all, group(t)...)
	}
	return all
}

// write puts the content of a file where it is loaded from.
func (b *bad) write(t *testing.T) {
	t.Helper()
	if b.content == nil {
		return
	}
	name := "bad.so"
	if b.File != "" {
		name = b.File
	}
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, b.content(), 0o644))
	if b.Name != "" {
		b.File, b.Config.Dirs = "", []string{filepath.Dir(path)}
		return
	}
	b.File = path
}

// probeTimeout is for files that never come to an end; others are given time.
const probeTimeout = time.Second

// TestCorpus has every bad file refused in two ways: by a process that has it
// tried in a child first, and, where that is no risk, by one that does not. The
// process must go on to load and use a good driver.
func TestCorpus(t *testing.T) {
	all, good := corpus(t), good(t)
	t.Run("distinct", func(t *testing.T) { distinct(t, all) })
	t.Run("bare", func(t *testing.T) { bare(t, all, good) })
	t.Run("probed", func(t *testing.T) {
		cache := t.TempDir()
		for i, b := range all {
			if i%10 > 0 && fixture.Host(t).Settings["-race"] == "true" {
				continue // the detector makes three processes for each file take seconds
			}
			t.Run(b.family+"/"+b.name, func(t *testing.T) {
				t.Parallel()
				probed(t, b, good, cache)
			})
		}
	})
}

// probed loads a file in a process of its own, with a probe.
func probed(t *testing.T, b bad, good, cache string) {
	b.write(t)
	b.Config.CacheDir, b.Config.Probe = cache, true
	if b.Config.ProbeTimeout == 0 {
		b.Config.ProbeTimeout = hostLimit / 2
	}
	config := loader.Config{CacheDir: cache, Probe: true, ProbeTimeout: hostLimit / 2}
	o := inHost(t, job{Steps: []step{b.step}, Good: good, Config: config})[0]
	b.check(t, o, b.stages...)
}

// bare loads files without a probe, many in one process, and those of which code
// runs twice: a file that failed once may block who opens it again.
func bare(t *testing.T, corpus []bad, good string) {
	cache := t.TempDir()
	harmless := slices.DeleteFunc(slices.Clone(corpus), func(b bad) bool { return b.bare == "" })
	n := 0
	for all := range slices.Chunk(harmless, 50) {
		n++
		t.Run(fmt.Sprint("host ", n), func(t *testing.T) {
			t.Parallel()
			var cases []bad
			var steps []step
			for _, b := range all {
				b.write(t)
				b.Config.CacheDir = cache
				cases, steps = append(cases, b), append(steps, b.step)
				if b.bare == loader.StageOpen || b.bare == loader.StageBind {
					cases, steps = append(cases, b), append(steps, b.step)
				}
			}
			for i, o := range inHost(t, job{Steps: steps, Good: good, Config: loader.Config{CacheDir: cache}}) {
				b := cases[i]
				t.Run(b.family+"/"+b.name, func(t *testing.T) {
					b.check(t, o, b.bare)
					if b.is != "" {
						require.Contains(t, o.Is, b.is)
					}
				})
			}
		})
	}
}

func (b bad) check(t *testing.T, o outcome, stages ...loader.Stage) {
	t.Helper()
	t.Log(o.Text)
	require.False(t, o.Loaded, "it was loaded")
	require.Empty(t, o.Other, "not a *LoadError")
	require.Contains(t, stages, o.Stage, o.Text)
	require.Empty(t, o.Fault, "a good driver after it")
	require.Equal(t, goodVersion, o.Answer, "a good driver after it")
	require.NotEmpty(t, o.Wanted)
	require.NotEmpty(t, o.Found)
	require.NotEmpty(t, o.Remedy)
	require.NotContains(t, o.Text, "\n")
	if b.File != "" {
		require.Equal(t, b.File, o.File)
	}
	if b.driver != "" {
		require.Equal(t, b.driver, o.Driver)
	}
	require.Contains(t, o.Wanted, b.wanted, o.Text)
	require.Contains(t, o.Found, b.found, o.Text)
	require.Contains(t, o.Remedy, b.remedy, o.Text)
}

// families are what the corpus must have, and how many files at least.
var families = map[string]int{
	"not ELF": 15, "not Go": 9, "Go, no plugin": 7, "other machine": 5, "other Go version": 2, "misfit": 5,
	"ELF header": 35, "program headers": 30, "section table": 15, "section out of range": 20, "enormous section": 20, "overlapping sections": 12,
	"truncated": 45, "zeroed": 30, "dynamic table": 35, "symbols": 8, "relocations": 30, "build information": 5,
	"manifest": 35, "manifest pointer": 13, "agreement": 10, "NewDriver": 20, "code": 25, "path": 20,
}

// distinct checks that no two files are the same, and that no family is missing.
func distinct(t *testing.T, corpus []bad) {
	sums, names, count := map[[32]byte]string{}, map[string]bool{}, map[string]int{}
	sums[sha256.Sum256(victim(t))] = "the good file that they are made of"
	for _, b := range corpus {
		name := b.family + "/" + b.name
		require.False(t, names[name], name)
		names[name] = true
		count[b.family]++
		if b.content == nil {
			continue // there is nothing to read, or it is bad by its path
		}
		sum := sha256.Sum256(b.content())
		if sums[sum] != "" {
			t.Errorf("%s is %s", name, sums[sum])
		}
		sums[sum] = name
	}
	require.Greater(t, len(sums), 450)
	for family, n := range count {
		require.GreaterOrEqual(t, n, families[family], family)
	}
	require.Len(t, count, len(families), "%v", count)
	t.Log(len(names), "bad files, of which", len(sums)-1, "have bytes of their own")
}

// damaged are files of which bytes were changed, that are cut, or that never
// were driver files.
func damaged(t *testing.T) []bad {
	var all []bad
	whole := victim(t)
	for _, d := range slices.Concat(badfiles.Foreign(), badfiles.Of(whole)) {
		b := refusedAt(loader.StageInspect, bad{family: d.Family, name: d.Name, found: d.Found})
		switch d.By {
		case badfiles.Comparison:
			b = refusedAt(loader.StageFit, b)
		case badfiles.Opening:
			// Without a probe the process may die of these.
			b.stages, b.bare = []loader.Stage{loader.StageInspect, loader.StageProbe}, ""
		}
		b.content = func() []byte { return d.Apply(whole) }
		all = append(all, b)
	}
	return all
}

func replaced(whole []byte, old, new string) []byte {
	if len(old) != len(new) || !bytes.Contains(whole, []byte(old)) {
		panic("cannot replace " + old + " by " + new)
	}
	return bytes.ReplaceAll(whole, []byte(old), []byte(new))
}
