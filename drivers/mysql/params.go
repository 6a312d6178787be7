package mysql

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rule is what a DSN may say of one parameter of upstream's. A value that passes
// here is accepted there, but for a time zone or a collation that does not
// exist, which Connect finds out.
type rule struct {
	wanted  string // what accepts takes, for the error
	accepts func(value string) bool
	escaped bool // upstream unescapes the value
	urlOnly bool
}

var (
	boolean  = rule{wanted: "true or false", accepts: isBool}
	duration = rule{wanted: "a duration such as 30s", accepts: isDuration}
)

var rules = map[string]rule{
	"allowAllFiles":            boolean,
	"allowCleartextPasswords":  boolean,
	"allowFallbackToPlaintext": boolean,
	"allowNativePasswords":     boolean,
	"allowOldPasswords":        boolean,
	"checkConnLiveness":        boolean,
	"clientFoundRows":          boolean,
	"columnsWithAlias":         boolean,
	"compress":                 boolean,
	"interpolateParams":        boolean,
	"multiStatements":          boolean,
	"parseTime":                boolean,
	"rejectReadOnly":           boolean,
	"readTimeout":              duration,
	"timeTruncate":             duration,
	"timeout":                  duration,
	"writeTimeout":             duration,
	"charset":                  {wanted: "names of character sets, separated by commas", accepts: charsetPattern.MatchString},
	"collation":                {wanted: "the name of a collation", accepts: collationPattern.MatchString},
	"connectionAttributes":     {wanted: "pairs such as program:backup, separated by commas", accepts: isAttributes, escaped: true},
	"loc":                      {wanted: "the name of a time zone such as UTC or Europe/Berlin", accepts: isZone},
	"maxAllowedPacket":         {wanted: "bytes, 0 to 1073741824", accepts: isPacketSize},
	"socket":                   {wanted: "the absolute path of a Unix socket", accepts: isPath, urlOnly: true},
	"tls":                      {wanted: "true, skip-verify, preferred or false; nobody can register other configurations", accepts: isTLS},

	"serverPubKey": {wanted: "nothing: nobody can register a key; the server sends its own", accepts: func(string) bool { return false }},
	"strict":       {wanted: "nothing: upstream has no strict mode any more; set sql_mode", accepts: func(string) bool { return false }},
}

// checkParams finds the first wrong parameter.
func (p *parsed) checkParams() error {
	seen := map[string]bool{}
	for _, q := range p.params {
		if q.err != nil {
			return q.err
		}
		if seen[q.name] {
			return fmt.Errorf("parameter %q is given twice", clip(q.name))
		}
		seen[q.name] = true
		r, err := ruleOf(q.name, p.url)
		if err != nil {
			return err
		}
		if !r.accepts(q.value) {
			return fmt.Errorf("parameter %q: wanted %s", q.name, r.wanted)
		}
	}
	return p.checkTogether()
}

// checkTogether refuses what cannot work, or not safely.
func (p *parsed) checkTogether() error {
	if v, _ := p.value("tls"); p.network == "unix" && isTrue(v) {
		return errors.New(`parameter "tls": a Unix socket has no host name to verify; write tls=skip-verify, or none`)
	}
	if v, _ := p.value("interpolateParams"); isTrue(v) {
		for _, name := range []string{"charset", "collation"} {
			if v, _ := p.value(name); unsafePattern.MatchString(v) {
				return fmt.Errorf("parameter %q: in this character set a backslash can be half of a character, "+
					"so that interpolateParams would let arguments become SQL", name)
			}
		}
	}
	return nil
}

// ruleOf finds the rule of a parameter. What upstream does not know, it sets as
// a variable of the session. Those have underscores, which none of upstream's
// parameters has, so that a misspelt parameter is found here.
func ruleOf(name string, url bool) (rule, error) {
	if r, ok := rules[name]; ok && (url || !r.urlOnly) {
		return r, nil
	}
	for known, r := range rules {
		if folded(known) == folded(name) && (url || !r.urlOnly) {
			return rule{}, fmt.Errorf("unknown parameter %q; write %q", clip(name), known)
		}
	}
	switch {
	case secretPattern.MatchString(name):
		return rule{}, fmt.Errorf(`unknown parameter %q; a password stands before the "@"`, clip(name))
	case name != "autocommit" && !variablePattern.MatchString(name):
		return rule{}, fmt.Errorf("unknown parameter %q; known are %s, and the server's own variables", clip(name),
			strings.Join(slices.Sorted(maps.Keys(rules)), ", "))
	}
	return rule{
		wanted:  "a number, a word, or a text in single quotes, for SET",
		accepts: literalPattern.MatchString,
		escaped: true,
	}, nil
}

// folded is a name as people misspell it.
func folded(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

var (
	charsetPattern   = regexp.MustCompile(`^[a-z0-9_]+(,[a-z0-9_]+)*$`)
	collationPattern = regexp.MustCompile(`^[a-z0-9_]+$`)
	variablePattern  = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)+$`)
	literalPattern   = regexp.MustCompile(`^(?:[+-]?[0-9]+(?:\.[0-9]+)?|[A-Za-z_]\w*|'(?:[^'\\]|'')*')$`)
	unsafePattern    = regexp.MustCompile(`(?:^|,)(?:big5|cp932|gb|sjis)`)
	secretPattern    = regexp.MustCompile(`(?i)passw|pwd|secret|token|credential`)
)

// The texts that upstream takes for a boolean.
func isBool(v string) bool {
	return isTrue(v) || slices.Contains([]string{"0", "false", "FALSE", "False"}, v)
}

func isTrue(v string) bool { return slices.Contains([]string{"1", "true", "TRUE", "True"}, v) }

func isTLS(v string) bool { return isBool(v) || v == "skip-verify" || v == "preferred" }

func isDuration(v string) bool {
	d, err := time.ParseDuration(v)
	return err == nil && d >= 0
}

func isPacketSize(v string) bool {
	n, err := strconv.Atoi(v)
	return err == nil && n >= 0 && n <= 1<<30
}

func isAttributes(v string) bool {
	for pair := range strings.SplitSeq(v, ",") {
		if key, _, ok := strings.Cut(pair, ":"); !ok || key == "" {
			return false
		}
	}
	return len(v) <= 4096
}

// isZone knows the form of a time zone's name, not the zones: they are files.
func isZone(v string) bool {
	return v != "" && v[0] != '/' && v[0] != '\\' && !strings.Contains(v, "..")
}

func isPath(v string) bool { return strings.HasPrefix(v, "/") }
