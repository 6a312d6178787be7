package isolate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// sources rewrites what in Go source names other packages by more than an
// import, or reaches out of the plugin: linknames, and sql.Register. No line
// moves.
func (c *call) sources(pkg Package) error {
	drop := &registerDropper{}
	err := c.replaceSources(".go", func(name string, text []byte) ([]byte, error) {
		if bytes.Contains(text, []byte("//go:linkname ")) {
			text = c.renameLinknames(text)
		}
		return drop.from(name, text), nil
	})
	if err == nil && drop.pkg != "" {
		err = c.addSource(filepath.Join(pkg.Dir, "keyway_register.go"), drop.source())
	}
	if err == nil && pkg.Source != "" {
		err = c.addSource(filepath.Join(pkg.Dir, "keyway_source.go"), []byte(pkg.Source))
	}
	return err
}

// renameLinknames puts the identity before the packages in linknames.
func (c *call) renameLinknames(text []byte) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	for i, line := range lines {
		words := strings.Fields(string(line))
		if len(words) != 3 || words[0] != "//go:linkname" {
			continue
		}
		slash := strings.LastIndex(words[2], "/")
		dot := strings.Index(words[2][slash+1:], ".")
		if dot < 0 {
			continue
		}
		// Dots in the last element are written %2e, as in symbols.
		pkg, err := url.PathUnescape(words[2][:slash+1+dot])
		if err == nil && c.names(pkg) {
			lines[i] = bytes.Replace(line, []byte(words[2]), []byte(c.ID+"/"+words[2]), 1)
		}
	}
	return bytes.Join(lines, nil)
}

// replaceSources gives the tool other files in place of those source files that
// change rewrites.
func (c *call) replaceSources(suffix string, change func(name string, text []byte) ([]byte, error)) error {
	for i, arg := range c.args {
		if !strings.HasSuffix(arg, suffix) || strings.HasPrefix(arg, "-") || i > 0 && c.args[i-1] == "-o" {
			continue
		}
		text, err := os.ReadFile(arg)
		if errors.Is(err, os.ErrNotExist) {
			continue // the value of some flag
		}
		if err != nil {
			return err
		}
		changed, err := change(arg, text)
		if err != nil {
			return err
		}
		if bytes.Equal(changed, text) {
			continue
		}
		file := filepath.Join(c.temp, strconv.Itoa(i)+"-"+filepath.Base(arg))
		if err := os.WriteFile(file, changed, 0o600); err != nil {
			return err
		}
		if err := c.mapBack(file, arg); err != nil {
			return err
		}
		c.args[i] = file
		c.replaced = append(c.replaced, file, arg)
	}
	return nil
}

// addSource gives the compiler one more file, which is recorded under a name.
func (c *call) addSource(name string, text []byte) error {
	file := filepath.Join(c.temp, filepath.Base(name))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	c.args = append(c.args, file)
	return c.mapBack(file, name)
}

// embeds takes what exists for the go command alone out of what a package
// embeds: a pattern such as * would match it.
func (c *call) embeds() error {
	file, at := c.flag("-embedcfg")
	if at < 0 {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var cfg struct {
		Patterns map[string][]string
		Files    map[string]string
	}
	if err := json.Unmarshal(text, &cfg); err != nil {
		return fmt.Errorf("-embedcfg: %w", err)
	}
	generated := func(name string) bool {
		return strings.HasPrefix(cfg.Files[name], filepath.Dir(os.Getenv(planVar))+string(filepath.Separator))
	}
	for pattern, names := range cfg.Patterns {
		cfg.Patterns[pattern] = slices.DeleteFunc(names, generated)
	}
	maps.DeleteFunc(cfg.Files, func(name, _ string) bool { return generated(name) })
	if text, err = json.Marshal(cfg); err != nil {
		return err
	}
	c.args[at] = filepath.Join(c.temp, "embedcfg")
	return os.WriteFile(c.args[at], text, 0o600)
}
