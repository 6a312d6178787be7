package isolate

import (
	"errors"
	"path/filepath"
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
