package sqlite3

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyway-go/keyway/contract"
)

// accepted has {dir} for a temporary folder.
var accepted = []string{
	"{dir}/plain.db",
	"{dir}/100%.db",
	"{dir}/with#hash.db",
	"{dir}/plain.db?_fk=1&_cache_size=-2000&&",
	"{dir}/plain.db?vfs=unix-excl",
	"file:{dir}/uri.db",
	"file://{dir}/uri.db?mode=rwc&cache=shared",
	"file://localhost{dir}/a%20b%3F.db?m%6fde=rwc",
	"file:{dir}/uri.db?_busy_timeout=%31000&psow=0&nolock=off",
	"sqlite3:{dir}/scheme.db?mode=rwc",
	"sqlite3://{dir}/scheme.db",
	"sqlite3::memory:",
	":memory:",
	":memory:?_timeout=100&_fk=on&_journal=memory&_sync=3&_vacuum=full&_query_only=NO",
	"file::memory:",
	"file::memory:?cache=shared&_foreign_keys=1",
	"file:name?mode=memory",
	"file:other?mode=memory&cache=shared",
	"file:/shared?vfs=memdb",
	"/plain-shared?vfs=memdb&_fk=1",
	"file:private?vfs=memdb",
	"{dir}/t.db?_loc=AUTO&_mutex=No&_txlock=IMMEDIATE&_journal_mode=wal&_busy_timeout=-1&_stmt_cache_size=10000",
	"{dir}/t.db?_loc=Etc/GMT%2B5&_cslike=1&_rt=1&_locking=normal&_secure_delete=fast&_ignore_check_constraints=no&_writable_schema=0",
}

// TestAcceptedDSNs also connects: a value that passes here and that upstream
// refuses would be an error in the wrong place.
func TestAcceptedDSNs(t *testing.T) {
	dir := t.TempDir()
	for _, dsn := range accepted {
		t.Run(dsn, func(t *testing.T) {
			text := strings.ReplaceAll(dsn, "{dir}", dir)
			c := connectorFor(t, text)
			conn, err := c.Connect(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if got := NewDriver().(contract.DSNRedactor).RedactDSN(text); got != text {
				t.Errorf("RedactDSN changed a DSN without a secret to %q", got)
			}
		})
	}
}

func TestRefusedDSNs(t *testing.T) {
	tests := []struct{ dsn, want string }{
		{"", `write ":memory:"`},
		{"?_fk=1", `write ":memory:"`},
		{"file:", `write ":memory:"`},
		{"file:///", `write ":memory:"`},
		{"sqlite3://?_fk=1", `write ":memory:"`},
		{"a\x00b", "NUL"},
		{"file:a%00b", "%00"},
		{"file:a?vfs=a%00b", `"vfs" contains %00`},
		{"file:a%zz", "the path has a malformed percent escape"},
		{"file:a%2", "the path has a malformed percent escape"},
		{"a?_fk=%zz", `"_fk" has a malformed percent escape`},
		{"a?%zz=1", "malformed name"},
		{"a?=1", "malformed name"},
		{"file:a#b", "write %23"},
		{"file:a?_fk=1#b", "write %23"},
		{"file://host/a", "is a host"},
		{"sqlite3://a.db", "is a host"},
		{"FILE:a", `write "file:"`},
		{"SQLite3:a", `write "sqlite3:"`},
		{"postgres://localhost/a", `"postgres" is not a scheme`},
		{"a?_foo=1", `unknown parameter "_foo"; known are _busy_timeout/_timeout,`},
		{"a?_fk=1;_rt=1", `"_fk" contains ";"`},
		{"a?_rt=1&_rt=1", `"_rt" is given twice`},
		{"a?_auth", `"_auth" has no effect: SQLite has no user authentication`},
		{"a?_auth_pass=x", `"_auth_pass" has no effect`},
		{"a?_defer_fk=1", `"_defer_fk" has no effect: SQLite ends it`},
		{"a?_cache_size=many", `"_cache_size": wanted a number`},
		{"a?_stmt_cache_size=-1", `"_stmt_cache_size": wanted 0 to 10000`},
		{"a?_stmt_cache_size=10001", `"_stmt_cache_size": wanted 0 to 10000`},
		{"a?_secure_delete=slow", `"_secure_delete": wanted fast, 1`},
		{"a?_locking_mode=shared", `"_locking_mode": wanted NORMAL or EXCLUSIVE`},
		{"a?_mutex=yes", `"_mutex": wanted no or full`},
		{"a?_loc=../../etc/passwd", `"_loc": wanted auto or the name`},
		{"a?_loc=/etc/localtime", `"_loc": wanted auto or the name`},
		{"file:a?_FK=1", `unknown parameter "_FK"`},
		{"a?mode=ro", `"mode" has no effect behind a plain file name`},
		{"a?immutable=1", `"immutable" has no effect behind a plain file name`},
		{"a?cache=shared", `"cache" has no effect behind a plain file name`},
		{"file:a?mode=ro&mode=rw", `"mode" is given twice`},
		{"a?_fk=1&_foreign_keys=0", `"_fk" and "_foreign_keys" mean the same`},
		{"a?_fk", `"_fk": it has no value`},
		{"a?_fk=", `"_fk": it has no value`},
		{"a?_fk=maybe", `"_fk": wanted 1, yes`},
		{"a?_busy_timeout=1s", `"_busy_timeout": wanted milliseconds`},
		{"a?_timeout=99999999999", `"_timeout": wanted milliseconds`},
		{"a?_journal_mode=WALL", `"_journal_mode": wanted DELETE`},
		{"a?_synchronous=4", `"_synchronous": wanted OFF`},
		{"a?_auto_vacuum=3", `"_auto_vacuum": wanted NONE`},
		{"a?_query_only=t", `"_query_only": wanted 1, yes`},
		{"a?_txlock=shared", `"_txlock": wanted deferred`},
		{"file:a?mode=RO", `"mode": wanted ro`},
		{"file:a?cache=no", `"cache": wanted shared`},
		{"file:a?immutable=2", `"immutable": wanted 1, yes`},
		{"file::memory:?mode=ro", `"mode": this does not go`},
		{":memory:?vfs=unix", `"vfs": this does not go`},
		{"file:/a?vfs=memdb&cache=shared", `"cache": this does not go`},
		{"file:/a?vfs=memdb&mode=memory", `"mode": this does not go`},
		{"file:a?mode=memory&immutable=1", `"immutable": this does not go`},
	}
	for _, tt := range tests {
		_, err := NewDriver().OpenConnector(tt.dsn)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("OpenConnector(%q): %v\nwanted an error with: %s", tt.dsn, err, tt.want)
		}
	}
}

// TestOpenConnectorDoesNoIO runs in an empty folder, with names in it and in
// folders that do not exist.
func TestOpenConnectorDoesNoIO(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, dsn := range []string{"new.db", "file:new.db?_journal_mode=WAL", "missing/new.db", ":memory:", "a?_loc=No/Zone", "a?vfs=none"} {
		c, err := NewDriver().OpenConnector(dsn)
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		if dsn == "new.db" || strings.HasPrefix(dsn, "file:") || dsn == ":memory:" {
			continue
		}
		if _, err := c.Connect(context.Background()); err == nil {
			t.Errorf("%s: Connect found nothing wrong", dsn)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 1 || len(entries) == 1 && entries[0].Name() != "a" {
		t.Errorf("these came to be: %v", entries)
	}
	if _, err := os.Stat(filepath.Join(dir, "new.db")); err == nil {
		t.Error("OpenConnector created the database")
	}
}

func TestSecretsStayOut(t *testing.T) {
	const secret = "hunter2"
	for _, dsn := range []string{
		"postgres://user:hunter2@host/db",
		"sqlite3://user:hunter2@host/db",
		"file://hunter2@host/db",
		"user:hunter2@tcp(127.0.0.1:3306)/db",
		"host=h password=hunter2",
		"user=u pass=hunter2",
		"host=h passwd=hunter2",
		"host=h passphrase =hunter2",
		"host=h PWD=hunter2",
		"Data Source=x;Key=hunter2",
		"file:x;Key%3Dhunter2",
		"AccountKey=hunter2",
		"x;Secret = hunter2",
		"x;token=hunter2",
		"file:a?password=hunter2",
		"file:a?_fk=1&password=x&hunter2=1",
		"file:a?password=%zzhunter2",
		"file:a?_auth&_auth_user=hunter2",
		"file:a?_auth_user=admin&_auth_pass=hunter2",
		"file:a?_auth_pass=x&hunter2=1",
		"file:a?_auth_salt=hunter2&_auth_crypt=SSHA1",
		"file:a?_fk=hunter2",
		"file:a?mode=hunter2",
		"file:a?_journal_mode=hunter2&cache=shared",
		"file:a?_loc=..hunter2",
		"file:a?%zz=hunter2",
		"file:a#hunter2",
	} {
		if _, err := NewDriver().OpenConnector(dsn); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the secret: %v", dsn, err)
		}
		if got := NewDriver().(contract.DSNRedactor).RedactDSN(dsn); strings.Contains(got, secret) {
			t.Errorf("%s: RedactDSN tells the secret: %s", dsn, got)
		}
	}
}

func TestRedactDSN(t *testing.T) {
	tests := []struct{ dsn, want string }{
		{"", ""},
		{"a\x00b", ""},
		{"postgres://u:p@h/d", ""},
		{"a.db?password=s", "a.db?password=REDACTED"},
		{"a.db?s", "a.db?REDACTED"},
		{"a.db?_fk=1&s)=2", "a.db?_fk=1&REDACTED"},
	}
	for _, tt := range tests {
		if got := NewDriver().(contract.DSNRedactor).RedactDSN(tt.dsn); got != tt.want {
			t.Errorf("RedactDSN(%q) = %q, want %q", tt.dsn, got, tt.want)
		}
	}
}

// FuzzParseDSN: what is accepted stays as it is in a log, and a password behind
// any text comes out neither there nor in an error.
func FuzzParseDSN(f *testing.F) {
	for _, dsn := range accepted {
		f.Add(dsn)
	}
	f.Add("file:a?_fk=1&_auth_pass=x&y")
	const secret = "hunter2&hunter2"
	d := NewDriver()
	redactor := d.(contract.DSNRedactor)
	f.Fuzz(func(t *testing.T, dsn string) {
		_, err := d.OpenConnector(dsn)
		redacted := redactor.RedactDSN(dsn)
		if err == nil && redacted != dsn && redacted != "" {
			t.Errorf("OpenConnector takes %q, RedactDSN makes %q of it", dsn, redacted)
		}
		if strings.Contains(dsn, "hunter2") {
			return
		}
		sep := "?"
		if strings.Contains(dsn, "?") {
			sep = "&"
		}
		dsn += sep + "_auth_pass=" + secret
		if _, err = d.OpenConnector(dsn); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", dsn, err)
		}
		if redacted = redactor.RedactDSN(dsn); strings.Contains(redacted, "hunter2") {
			t.Errorf("RedactDSN makes %q of %q", redacted, dsn)
		}
	})
}
