package sqlite3

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// target is what a connector opens.
type target struct {
	dsn    string // for upstream
	anchor string // opens the same database in memory and nothing else; "" for files
}

// parsed is a DSN in parts. No part is known to be right before check.
type parsed struct {
	uri    bool   // "file:" or "sqlite3:"
	name   string // of the database, unescaped
	raw    string // the same as written, without a scheme
	params []param
}

// param is one parameter of a DSN.
type param struct {
	raw         string // as written
	name, value string // unescaped
	err         error  // why they are not, without their text
}

// parseDSN checks a DSN and says how to open it. An error tells what is wrong
// without quoting a value, since a value may be a secret; it is about the first
// fault only, since what follows one may be the rest of a secret.
func parseDSN(text string) (target, error) {
	p, err := split(text)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return target{}, fmt.Errorf("sqlite3: wrong DSN: %w", err)
	}
	return p.target(), nil
}

var errNoName = errors.New(`it names no database, which is a temporary one for each connection to SQLite; ` +
	`write ":memory:" for a database in memory`)

func split(text string) (parsed, error) {
	if strings.ContainsRune(text, 0) {
		return parsed{}, errors.New("it contains a NUL byte")
	}
	rest, uri, err := cutScheme(text)
	if err != nil {
		return parsed{}, err
	}
	if uri && strings.Contains(rest, "#") {
		return parsed{}, errors.New(`it contains "#", which ends a URI's name and parameters; write %23`)
	}
	p := parsed{uri: uri}
	var query string
	p.raw, query, _ = strings.Cut(rest, "?")
	p.name = p.raw
	if uri {
		if p.name, err = pathOf(p.raw); err != nil {
			return parsed{}, err
		}
	}
	if p.name == "" {
		return parsed{}, errNoName
	}
	for raw := range strings.SplitSeq(query, "&") {
		if raw != "" {
			p.params = append(p.params, splitParam(raw))
		}
	}
	return p, nil
}

// cutScheme takes "file:" or "sqlite3:" off. Something like "postgres://" is
// refused, because SQLite would take it for the name of a file.
func cutScheme(text string) (rest string, uri bool, err error) {
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case !found:
		return text, false, nil
	case scheme == "file", scheme == "sqlite3":
		return rest, true, nil
	case strings.EqualFold(scheme, "file"), strings.EqualFold(scheme, "sqlite3"):
		return "", false, fmt.Errorf("SQLite knows the scheme in lower case only; write %q", strings.ToLower(scheme)+":")
	case strings.HasPrefix(rest, "//") && len(scheme) > 1 && isWord(scheme):
		return "", false, fmt.Errorf(`%q is not a scheme of this driver; it takes "file:", "sqlite3:" and plain file names`, clip(scheme))
	}
	return text, false, nil
}

// pathOf returns the name of the database in a URI's path, which may begin with
// an empty authority or "localhost" and nothing else.
func pathOf(raw string) (string, error) {
	if after, ok := strings.CutPrefix(raw, "//"); ok {
		authority, path, _ := strings.Cut(after, "/")
		if authority != "" && authority != "localhost" {
			return "", errors.New(`what stands between "//" and the next "/" is a host; ` +
				`write "file:name" for a relative and "file:///name" for an absolute path`)
		}
		if path == "" {
			return "", nil
		}
		raw = "/" + path
	}
	path, err := url.PathUnescape(raw)
	if err != nil {
		return "", errors.New(`the path has a malformed percent escape; write %25 for "%"`)
	}
	if strings.ContainsRune(path, 0) {
		return "", errors.New("the path contains %00")
	}
	return path, nil
}

func splitParam(raw string) param {
	p := param{raw: raw}
	rawName, rawValue, _ := strings.Cut(raw, "=")
	var err error
	if p.name, err = url.QueryUnescape(rawName); err != nil || !isWord(p.name) {
		p.name = ""
		p.err = errors.New(`a parameter has a malformed name; write %26 for a "&" inside of a value`)
		return p
	}
	p.value, err = url.QueryUnescape(rawValue)
	switch {
	case err != nil:
		p.err = fmt.Errorf(`parameter %q has a malformed percent escape; write %%25 for "%%"`, clip(p.name))
	case strings.Contains(raw, ";"):
		p.err = fmt.Errorf(`parameter %q contains ";"; parameters are separated by "&"`, clip(p.name))
	case strings.ContainsRune(p.value, 0):
		p.err = fmt.Errorf("parameter %q contains %%00", clip(p.name))
	}
	return p
}

// check finds the first wrong parameter.
func (p parsed) check() error {
	seen := map[string]string{} // by the rule's first name
	for _, q := range p.params {
		if err := p.checkParam(q, seen); err != nil {
			return err
		}
	}
	return p.checkMemory()
}

func (p parsed) checkParam(q param, seen map[string]string) error {
	if q.err != nil {
		return q.err
	}
	r, err := ruleOf(q.name)
	if err != nil {
		return err
	}
	if r.uriOnly && !p.uri {
		return fmt.Errorf("parameter %q has no effect behind a plain file name; put \"file:\" before the name", q.name)
	}
	if before := seen[r.names[0]]; before != "" {
		if before == q.name {
			return fmt.Errorf("parameter %q is given twice", q.name)
		}
		return fmt.Errorf("parameters %q and %q mean the same; give one of them", before, q.name)
	}
	seen[r.names[0]] = q.name
	if err := r.check(q.value); err != nil {
		return fmt.Errorf("parameter %q: %w", q.name, err)
	}
	return nil
}

// value returns the value of a parameter.
func (p parsed) value(name string) (string, bool) {
	i := slices.IndexFunc(p.params, func(q param) bool { return q.name == name })
	if i < 0 {
		return "", false
	}
	return p.params[i].value, true
}

// memory tells whether the database is in memory, and whether connections see
// one database under its name without our help.
func (p parsed) memory() (memory, shared bool) {
	vfs, _ := p.value("vfs")
	mode, _ := p.value("mode")
	cache, _ := p.value("cache")
	if vfs == "memdb" {
		return true, strings.HasPrefix(p.name, "/") && len(p.name) > 1
	}
	memory = p.name == ":memory:" || mode == "memory"
	return memory, memory && cache == "shared"
}

// checkMemory refuses parameters that say nothing of a database in memory.
func (p parsed) checkMemory() error {
	if memory, _ := p.memory(); !memory {
		return nil
	}
	vfs, _ := p.value("vfs")
	memdb := vfs == "memdb" // whose databases are in memory without mode=memory
	for _, q := range p.params {
		fits := true
		switch q.name {
		case "vfs":
			fits = memdb
		case "cache":
			fits = !memdb
		case "mode":
			fits = memdb != (q.value == "memory")
		case "immutable", "nolock", "psow", "modeof":
			fits = false
		}
		if !fits {
			return fmt.Errorf("parameter %q: this does not go with a database in memory", q.name)
		}
	}
	return nil
}

// target says how to open a DSN that was checked.
func (p parsed) target() target {
	memory, shared := p.memory()
	switch {
	case memory && !shared:
		return p.private()
	case memory && p.uri:
		own := p.join(func(r rule) bool { return r.uriOnly || r.names[0] == "vfs" })
		return target{dsn: "file:" + p.raw + p.join(nil), anchor: "file:" + p.raw + own}
	case memory: // a plain name with vfs=memdb
		return target{dsn: p.raw + p.join(nil), anchor: p.raw + "?vfs=memdb"}
	case p.uri:
		return target{dsn: "file:" + p.raw + p.join(nil)}
	}
	return target{dsn: p.raw + p.join(nil)}
}

// private gives a database in memory a name that only this connector knows.
// The memdb file system of SQLite lets connections share it. SQLite's shared
// cache would do so too, but a call that waits for another connection there
// heeds neither a timeout nor its context.
func (p parsed) private() target {
	anchor := "file:/keyway-" + rand.Text() + "?vfs=memdb"
	dsn := anchor
	if own := p.join(func(r rule) bool { return !r.uriOnly && r.names[0] != "vfs" }); own != "" {
		dsn += "&" + own[1:]
	}
	return target{dsn: dsn, anchor: anchor}
}

// join writes the parameters whose rule is wanted, as they were written, with
// "?" before them. A nil want wants all.
func (p parsed) join(want func(rule) bool) string {
	var raws []string
	for _, q := range p.params {
		if r, _ := ruleOf(q.name); want == nil || want(r) {
			raws = append(raws, q.raw)
		}
	}
	if raws == nil {
		return ""
	}
	return "?" + strings.Join(raws, "&")
}

// isWord tells whether s can be a parameter's name or a scheme. Only such text
// is ever quoted in an error.
func isWord(s string) bool {
	for _, r := range s {
		if r != '_' && r != '-' && r != '+' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return s != ""
}

// clip keeps a word from filling an error.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
