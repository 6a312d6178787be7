package sqlite

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rule is what a DSN may say of one parameter. The table holds what upstream's
// Driver.Open and SQLite's own sqlite3_open_v2 read in this version; a value
// that passes here is accepted there, except for a file system (vfs) or a time
// zone that does not exist, which Connect finds out.
type rule struct {
	names   []string // the second is another name for the first
	uriOnly bool     // SQLite reads it, in a URI only
	repeats bool
	wanted  string // what check accepts, for the error
	accepts func(value string) bool
}

func (r rule) check(value string) error {
	if value == "" {
		return errors.New("it has no value; wanted " + r.wanted)
	}
	if r.names[0] == "_pragma" {
		return checkPragma(value)
	}
	if !r.accepts(value) {
		return errors.New("wanted " + r.wanted)
	}
	return nil
}

const (
	strictBool = "1, t, true, 0, f or false"
	looseBool  = "1, yes, true, on, 0, no, false or off"
)

var rules = []rule{
	{names: []string{"_pragma"}, repeats: true, wanted: "a PRAGMA such as foreign_keys(1)"},
	{names: []string{"_busy_timeout", "_timeout"}, wanted: "milliseconds", accepts: isInt32},
	{names: []string{"_foreign_keys", "_fk"}, wanted: looseBool, accepts: isLooseBool},
	{names: []string{"_journal_mode", "_journal"}, wanted: "DELETE, TRUNCATE, PERSIST, MEMORY, WAL or OFF",
		accepts: anyCase("DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF")},
	{names: []string{"_synchronous", "_sync"}, wanted: "OFF, NORMAL, FULL, EXTRA or 0 to 3",
		accepts: anyCase("OFF", "NORMAL", "FULL", "EXTRA", "0", "1", "2", "3")},
	{names: []string{"_auto_vacuum", "_vacuum"}, wanted: "NONE, FULL, INCREMENTAL or 0 to 2",
		accepts: anyCase("NONE", "FULL", "INCREMENTAL", "0", "1", "2")},
	{names: []string{"_query_only"}, wanted: looseBool, accepts: isLooseBool},
	{names: []string{"_txlock"}, wanted: "deferred, immediate or exclusive", accepts: anyCase("deferred", "immediate", "exclusive")},
	{names: []string{"_time_format"}, wanted: "sqlite or datetime", accepts: oneOf("sqlite", "datetime")},
	{names: []string{"_time_integer_format"}, wanted: "unix, unix_milli, unix_micro or unix_nano",
		accepts: oneOf("unix", "unix_milli", "unix_micro", "unix_nano")},
	{names: []string{"_timezone"}, wanted: "the name of a time zone such as UTC or Europe/Berlin", accepts: isZone},
	{names: []string{"_inttotime"}, wanted: strictBool, accepts: isStrictBool},
	{names: []string{"_texttotime"}, wanted: strictBool, accepts: isStrictBool},
	{names: []string{"_dqs"}, wanted: strictBool, accepts: isStrictBool},
	{names: []string{"_defensive"}, wanted: strictBool, accepts: isStrictBool},
	{names: []string{"_error_rc"}, wanted: strictBool, accepts: isStrictBool},
	{names: []string{"vfs"}, wanted: "the name of a file system", accepts: isWord},
	{names: []string{"mode"}, uriOnly: true, wanted: "ro, rw, rwc or memory", accepts: oneOf("ro", "rw", "rwc", "memory")},
	{names: []string{"cache"}, uriOnly: true, wanted: "shared or private", accepts: oneOf("shared", "private")},
	{names: []string{"immutable"}, uriOnly: true, wanted: looseBool, accepts: isLooseBool},
	{names: []string{"nolock"}, uriOnly: true, wanted: looseBool, accepts: isLooseBool},
	{names: []string{"psow"}, uriOnly: true, wanted: looseBool, accepts: isLooseBool},
	{names: []string{"modeof"}, uriOnly: true, wanted: "the name of a file", accepts: func(string) bool { return true }},
}

// ruleOf finds the rule of a parameter; the error names all parameters.
func ruleOf(name string) (rule, error) {
	for _, r := range rules {
		if slices.Contains(r.names, name) {
			return r, nil
		}
	}
	var known []string
	for _, r := range rules {
		known = append(known, strings.Join(r.names, "/"))
	}
	return rule{names: []string{name}}, fmt.Errorf("unknown parameter %q; known are %s", clip(name), strings.Join(known, ", "))
}

func isInt32(v string) bool {
	_, err := strconv.ParseInt(v, 10, 32)
	return err == nil
}

func isStrictBool(v string) bool {
	_, err := strconv.ParseBool(v)
	return err == nil
}

func isTrue(v string) bool {
	on, err := strconv.ParseBool(v)
	return err == nil && on
}

var isLooseBool = anyCase("1", "yes", "true", "on", "0", "no", "false", "off")

// isZone knows the form of a time zone's name, not the zones: they are files.
func isZone(v string) bool {
	return v[0] != '/' && v[0] != '\\' && !strings.Contains(v, "..")
}

func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

func anyCase(values ...string) func(string) bool {
	return func(v string) bool {
		return slices.ContainsFunc(values, func(w string) bool { return strings.EqualFold(v, w) })
	}
}

// pragmas are the PRAGMAs of this SQLite, which ignores all others. A test
// compares them with what it says of itself.
const pragmas = " analysis_limit application_id auto_vacuum automatic_index busy_timeout cache_size cache_spill" +
	" case_sensitive_like cell_size_check checkpoint_fullfsync collation_list compile_options count_changes" +
	" data_version database_list default_cache_size defer_foreign_keys empty_result_callbacks encoding" +
	" foreign_key_check foreign_key_list foreign_keys freelist_count full_column_names fullfsync function_list" +
	" hard_heap_limit ignore_check_constraints incremental_vacuum index_info index_list index_xinfo" +
	" integrity_check journal_mode journal_size_limit legacy_alter_table locking_mode max_page_count mmap_size" +
	" module_list optimize page_count page_size pragma_list query_only quick_check read_uncommitted" +
	" recursive_triggers reverse_unordered_selects schema_version secure_delete short_column_names" +
	" shrink_memory soft_heap_limit synchronous table_info table_list table_xinfo temp_store" +
	" temp_store_directory threads trusted_schema user_version wal_autocheckpoint wal_checkpoint" +
	" writable_schema "

// pragmaPattern is one PRAGMA without the keyword: [schema.]name, then nothing,
// "= value" or "(value)". Upstream runs the text as SQL, so there must be no
// way to write a second statement or a comment.
var pragmaPattern = regexp.MustCompile(`^\s*(?:\w+\.)?([A-Za-z_]\w*)\s*(?:|=\s*` + pragmaValue + `|\(\s*` + pragmaValue + `\s*\))\s*$`)

const pragmaValue = `(?:[+-]?[\w.]+|'(?:[^']|'')*'|"(?:[^"]|"")*")`

// pragmaName returns the name of a well-formed PRAGMA, or "".
func pragmaName(text string) string {
	if m := pragmaPattern.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

func checkPragma(text string) error {
	name := pragmaName(text)
	switch strings.ToLower(name) {
	case "":
		return errors.New("wanted one PRAGMA such as foreign_keys(1), without the keyword")
	case "key", "hexkey", "textkey", "rekey", "hexrekey", "textrekey":
		return errors.New("this SQLite has no encryption, so a key would be ignored")
	}
	if !strings.Contains(pragmas, " "+strings.ToLower(name)+" ") {
		return fmt.Errorf("SQLite has no PRAGMA %s and would ignore it", clip(name))
	}
	return nil
}
