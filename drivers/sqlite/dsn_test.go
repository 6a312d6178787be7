package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keyway-go/keyway/contract"
)

// accepted has {dir} for a temporary folder.
var accepted = []string{
	"{dir}/plain.db",
	"{dir}/100%.db",
	"{dir}/with#hash.db",
	"{dir}/plain.db?_pragma=foreign_keys(1)&_pragma=cache_size=-2000&_pragma=main.user_version(7)&&",
	"{dir}/plain.db?vfs=unix-excl",
	"file:{dir}/uri.db",
	"file://{dir}/uri.db?mode=rwc&cache=shared",
	"file://localhost{dir}/a%20b%3F.db?m%6fde=rwc",
	"file:{dir}/uri.db?_pragma=busy_timeout%2810000%29&_pragma=journal_mode('WAL')&psow=0&nolock=off",
	"sqlite:{dir}/scheme.db?mode=rwc",
	"sqlite://{dir}/scheme.db",
	"sqlite::memory:",
	":memory:",
	":memory:?_timeout=100&_fk=on&_journal=memory&_sync=3&_vacuum=full&_query_only=NO",
	"file::memory:",
	"file::memory:?cache=shared&_foreign_keys=1",
	"file:name?mode=memory",
	"file:other?mode=memory&cache=shared",
	"file:/shared?vfs=memdb",
	"/plain-shared?vfs=memdb&_fk=1",
	"file:private?vfs=memdb",
	"{dir}/t.db?_time_format=sqlite&_time_integer_format=unix_nano&_timezone=Europe/Berlin&_inttotime=TRUE&_texttotime=f",
	"{dir}/t.db?_time_format=datetime&_txlock=IMMEDIATE&_dqs=0&_defensive=1&_error_rc=t&_journal_mode=wal&_busy_timeout=-1",
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
		{"sqlite://?_fk=1", `write ":memory:"`},
		{"a\x00b", "NUL"},
		{"file:a%00b", "%00"},
		{"file:a?vfs=a%00b", `"vfs" contains %00`},
		{"file:a%zz", "the path has a malformed percent escape"},
		{"file:a%2", "the path has a malformed percent escape"},
		{"a?_fk=%zz", `"_fk" has a malformed percent escape`},
		{"a?%zz=1", "malformed name"},
		{"a?=1", "malformed name"},
		{"a?_fk=1;_dqs=1", `"_fk" contains ";"`},
		{"file:a#b", "write %23"},
		{"file:a?_fk=1#b", "write %23"},
		{"file://host/a", "is a host"},
		{"sqlite://a.db", "is a host"},
		{"FILE:a", `write "file:"`},
		{"SQLite:a", `write "sqlite:"`},
		{"postgres://localhost/a", `"postgres" is not a scheme`},
		{"a?_foo=1", `unknown parameter "_foo"; known are _pragma, _busy_timeout/_timeout,`},
		{"file:a?_FK=1", `unknown parameter "_FK"`},
		{"a?mode=ro", `"mode" has no effect behind a plain file name`},
		{"a?cache=shared", `"cache" has no effect behind a plain file name`},
		{"file:a?mode=ro&mode=rw", `"mode" is given twice`},
		{"a?_fk=1&_foreign_keys=0", `"_fk" and "_foreign_keys" mean the same`},
		{"a?_defensive=1&_defensive=1", `"_defensive" is given twice`},
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
		{"a?_time_format=rfc3339", `"_time_format": wanted sqlite`},
		{"a?_time_integer_format=ms", `"_time_integer_format": wanted unix`},
		{"a?_timezone=../../etc/passwd", `"_timezone": wanted the name`},
		{"a?_timezone=/etc/localtime", `"_timezone": wanted the name`},
		{"a?_inttotime=yes", `"_inttotime": wanted 1, t`},
		{"a?_defensive=on", `"_defensive": wanted 1, t`},
		{"file:a?mode=RO", `"mode": wanted ro`},
		{"file:a?cache=no", `"cache": wanted shared`},
		{"file:a?immutable=2", `"immutable": wanted 1, yes`},
		{"a?_defensive=1&_journal=off", `"_journal": OFF has no effect`},
		{"a?_journal=off&_defensive=true", `"_journal": OFF has no effect`},
		{"a?_pragma=", `"_pragma": it has no value`},
		{"a?_pragma=foreign_keys(1)%3Bdrop table t", `"_pragma": wanted one PRAGMA`},
		{"a?_pragma=foreign_keys(1", `"_pragma": wanted one PRAGMA`},
		{"a?_pragma=foreign_keys=1 --", `"_pragma": wanted one PRAGMA`},
		{"a?_pragma=foreing_keys(1)", `SQLite has no PRAGMA foreing_keys`},
		{"a?_pragma=key('k')", `has no encryption`},
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
	for _, dsn := range []string{"new.db", "file:new.db?_pragma=journal_mode(WAL)", "missing/new.db", ":memory:", "a?_timezone=No/Zone", "a?vfs=none"} {
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
		"sqlite://user:hunter2@host/db",
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
		"file:a?_pragma=key('hunter2')",
		"file:a?_pragma=key('x&hunter2')",
		"file:a?_pragma=hexkey=hunter2",
		"file:a?_pragma=foreign_keys(1);hunter2",
		"file:a?_fk=hunter2",
		"file:a?mode=hunter2",
		"file:a?_journal_mode=hunter2&cache=shared",
		"file:a?_timezone=..hunter2",
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
		{"file:a.db?_fk=1&_pragma=key('s')&_dqs=0", "file:a.db?_fk=1&_pragma=REDACTED"},
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

func TestPragmasAreThoseOfSQLite(t *testing.T) {
	db := open(t, ":memory:")
	rows, err := db.Query("SELECT name FROM pragma_pragma_list")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		names = append(names, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	ours := strings.Fields(pragmas)
	slices.Sort(names)
	slices.Sort(ours)
	if !slices.Equal(names, ours) {
		t.Errorf("SQLite has the PRAGMAs\n%v, the table has\n%v", names, ours)
	}
}

func FuzzParseDSN(f *testing.F) {
	for _, dsn := range accepted {
		f.Add(dsn)
	}
	f.Add("file:a?_pragma=key('x&y')")
	d := NewDriver()
	f.Fuzz(func(t *testing.T, dsn string) {
		_, err := d.OpenConnector(dsn)
		redacted := d.(contract.DSNRedactor).RedactDSN(dsn)
		if err == nil && redacted != dsn && redacted != "" {
			t.Errorf("OpenConnector takes %q, RedactDSN makes %q of it", dsn, redacted)
		}
	})
}
