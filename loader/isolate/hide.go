package isolate

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// hideC makes the linker keep the C symbols of the isolated packages to the
// plugin. Otherwise a second version of a C library would be bound to the code
// of the first, since plugins are opened with RTLD_GLOBAL.
//
// Those of the standard library stay as they are: a plugin must be bound to the
// runtime/cgo of its host. One of its own waits for ever, when C first calls
// Go, to be told that the runtime has started. So CGO_CFLAGS=-fvisibility=hidden,
// which is for all packages, is no way.
func (c *call) hideC() error {
	var names []string
	err := c.archives(func(pkg, file string) error {
		if c.path(pkg) == pkg {
			return nil
		}
		defined, err := definedInC(file)
		names = append(names, defined...)
		return err
	})
	if err != nil || len(names) == 0 {
		return err
	}
	slices.Sort(names)
	script := "{ local: \"" + strings.Join(slices.Compact(names), "\"; \"") + "\"; };\n"
	file := filepath.Join(c.temp, "local.map")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return err
	}
	// Static libraries are not in the archives; the linker finds them itself.
	c.extldflags("-Xlinker --exclude-libs=ALL -Xlinker " + quoteArg("--version-script="+file))
	return nil
}

// archives calls f for each package that the linker is given, under the path
// that the go command knows it by.
func (c *call) archives(f func(pkg, file string) error) error {
	config, at := c.flag("-importcfg")
	if at < 0 {
		return nil
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "packagefile ")
		if pkg, file, isPair := strings.Cut(rest, "="); ok && isPair {
			if err := f(pkg, file); err != nil {
				return err
			}
		}
	}
	return nil
}

// extldflags adds to what the linker tells the C compiler. Of two such flags it
// would take the last.
func (c *call) extldflags(flags string) {
	for i, arg := range c.args {
		if strings.HasPrefix(arg, "-extldflags=") {
			c.args[i] += " " + flags
			return
		}
	}
	if _, at := c.flag("-extldflags"); at >= 0 {
		c.args[at] += " " + flags
		return
	}
	c.args = append([]string{"-extldflags=" + flags}, c.args...)
}

// definedInC returns the global symbols that the object files of a C compiler
// in a package's archive define. The Go compiler's are of another format.
func definedInC(archive string) ([]string, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	magic := make([]byte, len("!<arch>\n"))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != "!<arch>\n" {
		return nil, nil // no archive, and so without C
	}
	var names []string
	for {
		content, err := nextMember(r)
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", archive, err)
		}
		if !bytes.HasPrefix(content, []byte(elf.ELFMAG)) {
			continue
		}
		defined, err := globals(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", archive, err)
		}
		names = append(names, defined...)
	}
}

// nextMember reads a file of an archive: a header of 60 bytes with the size at
// 48, and the content, of even length.
func nextMember(r io.Reader) ([]byte, error) {
	header := make([]byte, 60)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	size, err := strconv.Atoi(strings.TrimSpace(string(header[48:58])))
	if err != nil || size < 0 {
		return nil, fmt.Errorf("a member of size %q", header[48:58])
	}
	content := make([]byte, size+size%2)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, fmt.Errorf("a member that ends too early: %w", err)
	}
	return content[:size], nil
}

// stbGNUUnique is the binding that g++ gives to what templates and inline
// functions hold: one in the process, whatever its files say.
const stbGNUUnique = elf.STB_LOOS

func globals(object []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	symbols, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, err
	}
	var names []string
	for _, s := range symbols {
		bind := elf.ST_BIND(s.Info)
		if (bind == elf.STB_GLOBAL || bind == elf.STB_WEAK || bind == stbGNUUnique) && s.Section != elf.SHN_UNDEF && s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names, nil
}
