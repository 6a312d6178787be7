package sqlite3

import (
	"regexp"
	"strings"
)

const redacted = "REDACTED"

// RedactDSN returns dsn as it is when OpenConnector would accept it: what it
// accepts holds no secret, unless it takes something else for a file's name.
// Secrets come in with DSNs that were meant for something else, a password for
// SQLCipher or a server's URL. Such a DSN ends at its first wrong parameter,
// since what follows may be the rest of a value; one that is not of this driver
// at all, or has a word such as "key=" in its name, becomes "".
func (d *sqliteDriver) RedactDSN(dsn string) string {
	p, err := split(dsn)
	if err != nil || foreign(p) {
		return ""
	}
	head, _, _ := strings.Cut(dsn, "?")
	seen := map[string]string{}
	sep := "?"
	for _, q := range p.params {
		if err := p.checkParam(q, seen); err != nil {
			if q.name == "" || !strings.Contains(q.raw, "=") {
				return head + sep + redacted
			}
			return head + sep + q.name + "=" + redacted
		}
		head += sep + q.raw
		sep = "&"
	}
	return dsn
}

// secretPattern finds "password=p" and its like, as in the DSNs of servers and in
// those of SQLite for other languages.
var secretPattern = regexp.MustCompile(`(?i)(pass\w*|pwd|key|secret|token)\s*=`)

// foreign tells whether the name looks like the DSN of a server, such as
// "user:password@host/db", or holds a secret in words.
func foreign(p parsed) bool {
	colon := strings.IndexByte(p.name, ':')
	return colon >= 0 && strings.Contains(p.name[colon:], "@") || secretPattern.MatchString(p.name)
}
