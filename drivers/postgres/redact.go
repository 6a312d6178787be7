package postgres

import (
	"slices"
	"strings"
)

const redacted = "REDACTED"

// RedactDSN returns dsn with the values of password and sslpassword replaced,
// and of every parameter that this driver does not know, with its name. Of a
// DSN that OpenConnector refuses it returns "": where its password ends nobody
// can know.
func (d *postgresDriver) RedactDSN(dsn string) string {
	settings, err := parseDSN(dsn)
	if err != nil {
		return ""
	}
	var b strings.Builder
	done := 0
	for _, s := range settings {
		from := s.from
		if !slices.Contains(secret, s.key) {
			if _, known := rules[s.key]; known {
				continue
			}
			from = s.start // its key may be the rest of a password with a space in it
		}
		b.WriteString(dsn[done:from])
		b.WriteString(redacted)
		done = s.to
	}
	return b.String() + dsn[done:]
}
