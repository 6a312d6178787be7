package isolate

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// nameDir makes positions in a package name it as go build -trimpath does, also
// where the host was built without that flag. The standard library must be
// compiled as the host's was; the rest is the driver's own, and the same bytes
// are to come from any directory.
func (c *call) nameDir(pkg string) {
	list, at := c.flag("-trimpath")
	if at < 0 {
		return
	}
	dir, named := c.packages[pkg].Dir, c.packages[pkg].Named
	var rules []string
	for rule := range strings.SplitSeq(list, ";") {
		// A file of an overlay is mapped to the one that it stands for.
		from, to, ok := cutRule(rule)
		if rest, below := strings.CutPrefix(to, dir); ok && below && (rest == "" || rest[0] == '/') {
			rule = from + "=>" + named + rest
		}
		rules = append(rules, rule)
	}
	c.args[at] = strings.Join(append(rules, dir+"=>"+named), ";")
}

// mapBack makes the tool record for a file the name that it would record for
// the original. Of the rules in -trimpath it applies the first that fits.
func (c *call) mapBack(file, original string) error {
	abs, err := filepath.Abs(original)
	if err != nil {
		return err
	}
	list, at := c.flag("-trimpath")
	if at < 0 {
		return errors.New("a tool was called without -trimpath")
	}
	c.args[at] = file + "=>" + trimmed(abs, list) + ";" + list
	return nil
}

// trimmed applies the rules of -trimpath as cmd/internal/objabi does.
func trimmed(path, rules string) string {
	for rule := range strings.SplitSeq(rules, ";") {
		prefix, replace, _ := cutRule(rule)
		rest, ok := strings.CutPrefix(path, prefix)
		if prefix == "" || !ok || rest != "" && rest[0] != '/' {
			continue
		}
		if replace == "" {
			return strings.TrimPrefix(rest, "/")
		}
		return replace + rest
	}
	return path
}

func cutRule(rule string) (from, to string, ok bool) {
	i := strings.LastIndex(rule, "=>")
	if i < 0 {
		return rule, "", false
	}
	return rule[:i], rule[i+len("=>"):], true
}

// buildID gives the linker a build ID that does not depend on directories. The
// go command makes its own of the keys of its cache, where directories are; it
// leaves another one alone. This one is made of what the packages contain, as
// the go command wrote it into their own IDs: key/content.
func (c *call) buildID() error {
	h := sha256.New()
	fmt.Fprintln(h, c.ID, wrapperSum())
	err := c.archives(func(pkg, file string) error {
		content, err := contentOf(file)
		fmt.Fprintln(h, pkg, content)
		return err
	})
	if err != nil {
		return err
	}
	id := base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:15])
	for i, arg := range c.args {
		if strings.HasPrefix(arg, "-buildid=") {
			c.args[i] = "-buildid=" + strings.Join([]string{id, id, id, id}, "/")
		}
	}
	return nil
}

var archiveID = regexp.MustCompile(`(?m)^build id ".*/([^/"]+)"$`)

// contentOf returns the hash of its content that the go command wrote into the
// header of a package's archive.
func contentOf(archive string) (string, error) {
	f, err := os.Open(archive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	header := make([]byte, 1024)
	n, err := io.ReadFull(f, header)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	match := archiveID.FindSubmatch(header[:n])
	if match == nil {
		return "", fmt.Errorf("%s: no build ID", archive)
	}
	return string(match[1]), nil
}
