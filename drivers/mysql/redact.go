package mysql

import (
	"slices"
	"strings"
)

// redacted stands for a password, or what may be one.
const redacted = "REDACTED"

// RedactDSN returns a DSN that OpenConnector would accept with its password
// replaced, and with the values of the parameters that can hold one: connection
// attributes, and all but some variables of the session. OpenConnector would
// accept the result. Of another DSN it returns "": where its password begins and
// ends is not sure.
func (d *mysqlDriver) RedactDSN(dsn string) string {
	p, err := split(dsn)
	if err != nil || p.check() != nil {
		return ""
	}
	head := dsn[:len(dsn)-len(p.query)]
	if p.secret.begin < p.secret.end {
		head = head[:p.secret.begin] + redacted + head[p.secret.end:]
	}
	params := strings.Split(p.query, "&")
	for i, raw := range params {
		params[i] = redactParam(raw)
	}
	return head + strings.Join(params, "&")
}

// redactParam keeps the value of one of upstream's parameters, which the rules
// let hold no secret, and that of a harmless variable.
func redactParam(raw string) string {
	name, _, _ := strings.Cut(raw, "=")
	_, known := rules[name]
	switch {
	case raw == "", slices.Contains(harmless, name):
		return raw
	case name == "connectionAttributes":
		return name + "=" + redacted + ":" // a pair
	case known:
		return raw
	}
	return name + "=" + redacted
}

// harmless are variables that people set, and whose values are no secrets.
var harmless = []string{
	"autocommit", "completion_type", "foreign_key_checks", "group_concat_max_len", "innodb_lock_wait_timeout",
	"interactive_timeout", "lock_wait_timeout", "max_execution_time", "max_statement_time", "net_read_timeout",
	"net_write_timeout", "sql_mode", "sql_safe_updates", "sql_select_limit", "time_zone", "transaction_isolation",
	"transaction_read_only", "tx_isolation", "tx_read_only", "unique_checks", "wait_timeout",
}
