package sqlite3

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rule is what a DSN may say of one parameter. The table holds what upstream's
// SQLiteDriver.Open and SQLite's own sqlite3_open_v2 read in this version; a
// value that passes here is accepted there, except for a file system (vfs) or a
// time zone that does not exist, which Connect finds out.
type rule struct {
	names   []string // the second is another name for the first
	uriOnly bool     // SQLite reads it, in a URI only
	wanted  string   // what accepts takes, for the error
	accepts func(value string) bool
}

func (r rule) check(value string) error {
	if value == "" {
		return errors.New("it has no value; wanted " + r.wanted)
	}
	if !r.accepts(value) {
		return errors.New("wanted " + r.wanted)
	}
	return nil
}

// bools are those of upstream and of SQLite's URIs.
var bools = []string{"1", "yes", "true", "on", "0", "no", "false", "off"}

var rules = []rule{
	number("milliseconds", isInt32, "_busy_timeout", "_timeout"),
	boolean("_foreign_keys", "_fk"),
	choice([]string{"DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF"}, "_journal_mode", "_journal"),
	choice([]string{"OFF", "NORMAL", "FULL", "EXTRA", "0", "1", "2", "3"}, "_synchronous", "_sync"),
	choice([]string{"NONE", "FULL", "INCREMENTAL", "0", "1", "2"}, "_auto_vacuum", "_vacuum"),
	choice([]string{"deferred", "immediate", "exclusive"}, "_txlock"),
	boolean("_query_only"),
	number("a number of pages, or of KiB below zero", isInt32, "_cache_size"),
	number("0 to 10000 statements", isUpTo(10000), "_stmt_cache_size"),
	boolean("_case_sensitive_like", "_cslike"),
	boolean("_ignore_check_constraints"),
	choice([]string{"NORMAL", "EXCLUSIVE"}, "_locking_mode", "_locking"),
	boolean("_recursive_triggers", "_rt"),
	choice(append([]string{"fast"}, bools...), "_secure_delete"),
	boolean("_writable_schema"),
	choice([]string{"no", "full"}, "_mutex"),
	{names: []string{"_loc"}, wanted: "auto or the name of a time zone such as UTC or Europe/Berlin", accepts: zone.MatchString},
	{names: []string{"vfs"}, wanted: "the name of a file system", accepts: isWord},
	{names: []string{"mode"}, uriOnly: true, wanted: "ro, rw, rwc or memory", accepts: oneOf("ro", "rw", "rwc", "memory")},
	{names: []string{"cache"}, uriOnly: true, wanted: "shared or private", accepts: oneOf("shared", "private")},
	{names: []string{"modeof"}, uriOnly: true, wanted: "the name of a file", accepts: func(string) bool { return true }},
	inURI(boolean("immutable")), inURI(boolean("nolock")), inURI(boolean("psow")),
}

func boolean(names ...string) rule { return choice(bools, names...) }

// choice is a rule for words in capital or small letters.
func choice(values []string, names ...string) rule {
	last := len(values) - 1
	return rule{names: names, wanted: strings.Join(values[:last], ", ") + " or " + values[last], accepts: func(v string) bool {
		return slices.ContainsFunc(values, func(w string) bool { return strings.EqualFold(v, w) })
	}}
}

func number(wanted string, accepts func(string) bool, names ...string) rule {
	return rule{names: names, wanted: wanted, accepts: accepts}
}

func inURI(r rule) rule {
	r.uriOnly = true
	return r
}

// useless are parameters that upstream knows and that do nothing, with the
// reason. Whoever gives one counts on what will not be.
var useless = map[string]string{
	"_auth": noUsers, "_auth_user": noUsers, "_auth_pass": noUsers, "_auth_crypt": noUsers, "_auth_salt": noUsers,
	"_defer_foreign_keys": deferEnds, "_defer_fk": deferEnds,
}

const (
	noUsers   = "SQLite has no user authentication any more, so everybody could read the database"
	deferEnds = "SQLite ends it with the transaction, so it would be over before the first statement; " +
		"run PRAGMA defer_foreign_keys = ON in each transaction"
)

// ruleOf finds the rule of a parameter; the error names all parameters.
func ruleOf(name string) (rule, error) {
	for _, r := range rules {
		if slices.Contains(r.names, name) {
			return r, nil
		}
	}
	none := rule{names: []string{name}}
	if why := useless[name]; why != "" {
		return none, fmt.Errorf("parameter %q has no effect: %s", name, why)
	}
	var known []string
	for _, r := range rules {
		known = append(known, strings.Join(r.names, "/"))
	}
	return none, fmt.Errorf("unknown parameter %q; known are %s", clip(name), strings.Join(known, ", "))
}

func isInt32(v string) bool {
	_, err := strconv.ParseInt(v, 10, 32)
	return err == nil
}

func isUpTo(most int) func(string) bool {
	return func(v string) bool {
		n, err := strconv.Atoi(v)
		return err == nil && n >= 0 && n <= most
	}
}

// zone knows the form of a time zone's name, not the zones: they are files.
var zone = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)

func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}
