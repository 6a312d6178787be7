package mysql

// redacted stands for a password.
const redacted = "REDACTED"

// RedactDSN returns a DSN that OpenConnector would accept with its password
// replaced. Of another it returns "": where its password begins and ends is not
// sure.
func (d *mysqlDriver) RedactDSN(dsn string) string {
	p, err := split(dsn)
	if err != nil || p.check() != nil {
		return ""
	}
	if p.secret.begin == p.secret.end {
		return dsn
	}
	return dsn[:p.secret.begin] + redacted + dsn[p.secret.end:]
}
