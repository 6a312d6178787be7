package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// Machine is where a dynamic linker looks for shared libraries, as far as that
// is known. It is safe for concurrent use, and reads each library once, until
// the file changes.
type Machine struct {
	dirs []string // LD_LIBRARY_PATH
	list string   // /etc/ld.so.cache
	sure bool     // nothing else tells the dynamic linker where to look

	mu     sync.Mutex          // protects following fields
	listed os.FileInfo         // of the list when it was read, nil for none
	cache  map[string][]string // paths by name, of the list; nil if it is none
	libs   map[string]kept     // by path
}

// kept is a library that was read, nil for what cannot be understood, and the
// file as it was then.
type kept struct {
	file os.FileInfo
	lib  *library
}

// unchanged reports whether a file is still the one that was read.
func unchanged(before, now os.FileInfo) bool {
	return before != nil && os.SameFile(before, now) && before.Size() == now.Size() && before.ModTime().Equal(now.ModTime())
}

// The directories that the linkers of common systems search without being told.
var defaultDirs = []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib",
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu"}

// hwcaps are directories in which glibc looks first on better processors.
var hwcaps = []string{"", "glibc-hwcaps/x86-64-v4", "glibc-hwcaps/x86-64-v3", "glibc-hwcaps/x86-64-v2"}

var thisMachine = sync.OnceValue(func() *Machine {
	// The dynamic linker keeps what the variables were when the process began.
	env, err := os.ReadFile("/proc/self/environ")
	began := func(name string) string {
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if value, ok := bytes.CutPrefix(v, []byte(name+"=")); ok {
				return string(value)
			}
		}
		return ""
	}
	m := newMachine(began("LD_LIBRARY_PATH"), "/etc/ld.so.cache")
	m.sure = m.sure && err == nil && began("LD_PRELOAD") == "" && began("LD_AUDIT") == ""
	return m
})

// ThisMachine returns the machine that the process runs on, with the process's
// LD_LIBRARY_PATH. Every call returns the same Machine. Only glibc's way to
// search is known well enough to say that a library is not there; elsewhere
// nothing is said.
func ThisMachine() *Machine { return thisMachine() }

func newMachine(libraryPath, cache string) *Machine {
	m := &Machine{list: cache, sure: true, libs: map[string]kept{}}
	if libraryPath != "" {
		m.dirs = strings.Split(strings.ReplaceAll(libraryPath, ";", ":"), ":") // an empty one is the working directory
	}
	return m
}

// readList returns the list of libraries as it is now, nil if it cannot be
// read.
func (m *Machine) readList() map[string][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	info, err := os.Stat(m.list)
	if err == nil && unchanged(m.listed, info) {
		return m.cache
	}
	m.listed, m.cache = nil, nil
	if err != nil {
		return nil
	}
	if text, err := readBounded(m.list, maxCache); err == nil {
		m.cache, _ = parseCache(text)
		m.listed = info
	}
	return m.cache
}

// maxCache bounds ld.so.cache, which has some 20 KiB on a small machine.
const maxCache = 64 << 20

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// The form of /etc/ld.so.cache: a header of 48 bytes, records of 24, and texts.
const (
	oldCacheMagic   = "ld.so-1.7.0"
	cacheMagic      = "glibc-ld.so.cache1.1"
	cacheHeader     = 48
	cacheRecord     = 24
	oldCacheHeader  = 16
	oldCacheRecord  = 12
	maxCacheEntries = 1 << 18
)

// parseCache reads names and paths from the text of ld.so.cache. It reports
// whether that is a cache it knows.
func parseCache(text []byte) (map[string][]string, bool) {
	if bytes.HasPrefix(text, []byte(oldCacheMagic)) && len(text) >= oldCacheHeader {
		// The older form stands before the newer one, for older linkers.
		skip := oldCacheHeader + uint64(binary.NativeEndian.Uint32(text[12:]))*oldCacheRecord
		skip = (skip + 7) &^ 7
		if skip > uint64(len(text)) {
			return nil, false
		}
		text = text[skip:]
	}
	if len(text) < cacheHeader || !bytes.HasPrefix(text, []byte(cacheMagic)) {
		return nil, false
	}
	count := binary.NativeEndian.Uint32(text[20:])
	if count > maxCacheEntries || uint64(len(text)) < cacheHeader+uint64(count)*cacheRecord {
		return nil, false
	}
	paths := map[string][]string{}
	budget := 8 * len(text) // records that all name one long text would make copies without end
	for i := range int(count) {
		rec := text[cacheHeader+i*cacheRecord:]
		name, ok1 := cstring(text, uint64(binary.NativeEndian.Uint32(rec[4:])))
		path, ok2 := cstring(text, uint64(binary.NativeEndian.Uint32(rec[8:])))
		if budget -= len(name) + len(path); !ok1 || !ok2 || budget < 0 {
			return nil, false
		}
		paths[name] = append(paths[name], path)
	}
	return paths, true
}

// library is a shared library, or a program, as the dynamic linker sees it.
type library struct {
	path     string
	soname   string
	needed   []string
	runPath  []string
	rpath    bool // runPath stands in DT_RPATH
	needs    []SymbolVersion
	versions map[string]bool // empty for a library without versions
	exports  func() map[string]bool
}

// at reads the library of a path.
func (m *Machine) at(path string) (*library, answer) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular():
		return nil, missing
	case err != nil:
		return nil, found // it is there, if not for us
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.libs[path]; ok && unchanged(k.file, info) {
		return k.lib, found
	}
	delete(m.libs, path)
	f, info, err := openRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotRegular):
		return nil, missing
	case err != nil:
		return nil, found
	}
	defer f.Close()
	lib, a := readLibrary(f, info.Size())
	if a == found {
		if lib != nil {
			lib.path = path
			lib.exports = sync.OnceValue(func() map[string]bool { return exportsOf(path) })
		}
		m.libs[path] = kept{info, lib}
	}
	return lib, a
}

var errNotRegular = errors.New("not a regular file")

// openRegular opens a file that a driver file may have named, which can be any
// at all: to open a device can do things, and to open a FIFO waits.
func openRegular(path string) (*os.File, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errNotRegular
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may have been replaced
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nil, errors.Join(errNotRegular, err, f.Close())
	}
	return f, info, nil
}

// readLibrary reads what the dynamic linker will ask of a library. One for
// another machine it passes by; what cannot be understood counts as found.
func readLibrary(r io.ReaderAt, size int64) (*library, answer) {
	img, err := openImage(r, size)
	if err != nil {
		return nil, found
	}
	if img.class != elf.ELFCLASS64 || goarchOf[img.machine] != runtime.GOARCH {
		return nil, missing
	}
	d, err := img.openDynamic()
	if err != nil || d == nil {
		return nil, found
	}
	lib := &library{needed: d.needed}
	if off, ok := d.tags[elf.DT_SONAME]; ok {
		lib.soname, _ = cstring(d.strings, off)
	}
	var errs [3]error
	lib.runPath, lib.rpath, errs[0] = d.runPath()
	lib.needs, errs[1] = d.neededVersions()
	lib.versions, errs[2] = d.definedVersions()
	if errs != [3]error{} {
		return nil, found
	}
	return lib, found
}

// exportsOf returns the C functions that a library defines for all; none if it
// cannot be read.
func exportsOf(path string) map[string]bool {
	names := map[string]bool{}
	f, info, err := openRegular(path)
	if err != nil {
		return names
	}
	defer f.Close()
	img, err := openImage(f, info.Size())
	if err != nil {
		return names
	}
	d, err := img.openDynamic()
	if err != nil || d == nil {
		return names
	}
	_ = d.cFunctions(func(name []byte, _ uint64) error {
		names[string(name)] = true
		return nil
	})
	return names
}
