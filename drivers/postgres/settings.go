package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// rules are the keys whose values are checked, by checkShown as well, and may be
// shown. Other keys are parameters of the session, which only the server knows;
// those of them that are common and no secret are here as well.
var rules = map[string]func(value string) error{
	"host": checkHosts, "port": checkPorts, "user": anything, "dbname": checkDatabase, "database": checkDatabase,
	"connect_timeout": number(0, 1<<31), "target_session_attrs": oneOf("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
	"service": anything, "servicefile": anything, "passfile": anything,

	"sslmode":     oneOf("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
	"sslcertmode": oneOf("disable", "allow", "require"), "sslnegotiation": oneOf("postgres", "direct"), "sslsni": oneOf("0", "1"),
	"sslcert": anything, "sslkey": anything, "sslrootcert": anything, "ssl": oneOf("true"),
	"channel_binding": oneOf("disable", "prefer", "require"), "require_auth": checkAuth,
	"min_protocol_version": oneOf("3.0", "3.2", "latest"), "max_protocol_version": oneOf("3.0", "3.2", "latest"),
	"krbspn": anything, "krbsrvname": anything,

	"default_query_exec_mode":  oneOf("cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"),
	"statement_cache_capacity": number(0, 1<<31-1), "description_cache_capacity": number(0, 1<<31-1),

	"application_name": anything, "client_encoding": anything, "search_path": anything, "timezone": anything, "TimeZone": anything,
	"datestyle": anything, "statement_timeout": anything, "lock_timeout": anything, "idle_in_transaction_session_timeout": anything,
}

// secret are the keys of passwords.
var secret = []string{"password", "sslpassword"}

// keyPattern is what a key looks like. Others would come back in an error of
// the server, and may be half of a DSN for something else.
var keyPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// check finds the first wrong setting.
func check(settings []setting) error {
	seen := map[string]string{}
	for _, s := range settings {
		if !keyPattern.MatchString(s.key) {
			return errors.New("the key of a setting is not made of letters, digits, underscores and dots")
		}
		rule, known := rules[s.key]
		_, twice := seen[s.key]
		switch {
		case twice && (known || slices.Contains(secret, s.key)):
			return fmt.Errorf("%q is given twice", s.key)
		case known:
			if err := cmp.Or(rule(s.value), checkShown(s.value)); err != nil {
				return fmt.Errorf("%q: %w", s.key, err)
			}
		}
		seen[s.key] = s.value
	}
	return checkTogether(seen)
}

// passwordPattern is what a password begins with in a DSN whose settings are
// not separated as PostgreSQL wants it.
var passwordPattern = regexp.MustCompile(`(?i)(pass\w*|pwd)\s*=`)

// checkShown refuses values that look like several settings, as the DSNs of
// other databases have them: one may be a password, and the value is shown in
// errors and by RedactDSN. A space that is none for PostgreSQL comes with text
// that is pasted.
func checkShown(value string) error {
	const remedy = "separate key=value pairs by spaces"
	switch {
	case strings.Contains(value, ";"):
		return errors.New(`it contains ";"; ` + remedy)
	case strings.ContainsFunc(value, func(r rune) bool { return r != ' ' && (unicode.IsSpace(r) || unicode.IsControl(r)) }):
		return errors.New(`it contains a space other than " " or a control character; ` + remedy)
	case passwordPattern.MatchString(value):
		return errors.New("it contains what looks like a password; " + remedy)
	}
	return nil
}

// checkTogether looks at settings that depend on each other.
func checkTogether(seen map[string]string) error {
	for _, same := range [][2]string{{"dbname", "database"}, {"ssl", "sslmode"}} {
		_, one := seen[same[0]]
		if _, other := seen[same[1]]; one && other {
			return fmt.Errorf("%q and %q mean the same; give one of them", same[0], same[1])
		}
	}
	hosts, ports := strings.Count(seen["host"], ",")+1, strings.Count(seen["port"], ",")+1
	if ports > 1 && ports != hosts {
		return fmt.Errorf("there are %d hosts and %d ports; give each host its own, or one for all", hosts, ports)
	}
	if (seen["sslcert"] == "") != (seen["sslkey"] == "") && seen["sslcertmode"] != "disable" {
		return errors.New(`"sslcert" and "sslkey" are needed together`)
	}
	if newest := seen["max_protocol_version"]; newest == "3.0" && seen["min_protocol_version"] > newest {
		return errors.New(`"min_protocol_version" is above "max_protocol_version"`)
	}
	return nil
}

func anything(string) error { return nil }

func oneOf(values ...string) func(string) error {
	return func(value string) error {
		if !slices.Contains(values, value) {
			return fmt.Errorf("wanted one of %s", strings.Join(values, ", "))
		}
		return nil
	}
}

func number(least, most int64) func(string) error {
	return func(value string) error {
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < least || n > most {
			return fmt.Errorf("wanted a number from %d to %d", least, most)
		}
		return nil
	}
}

// checkHosts refuses what no host's name contains: it would be part of a
// password, and shown in errors.
func checkHosts(value string) error {
	if strings.Contains(value, "@") {
		return errors.New(`it contains "@"; the user and the password have settings of their own`)
	}
	if strings.Contains(value, "=") {
		return errors.New(`it contains "="; separate key=value pairs by spaces`)
	}
	return nil
}

// checkDatabase refuses a DSN, which PostgreSQL's own programs take there, and
// upstream does not.
func checkDatabase(value string) error {
	if strings.Contains(value, "=") || strings.Contains(value, "://") {
		return errors.New("wanted a name, found what looks like a DSN")
	}
	return nil
}

func checkPorts(value string) error {
	for port := range strings.SplitSeq(value, ",") {
		if port == "" {
			continue // the default
		}
		if err := number(1, 65535)(port); err != nil {
			return err
		}
	}
	return nil
}

func checkAuth(value string) error {
	allow := oneOf("password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none")
	negated := strings.HasPrefix(value, "!")
	for method := range strings.SplitSeq(value, ",") {
		method, not := strings.CutPrefix(method, "!")
		if not != negated {
			return errors.New(`either all methods have "!" before them or none`)
		}
		if err := allow(method); err != nil {
			return err
		}
	}
	return nil
}
