package postgres

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/keyway-go/keyway/contract"
)

func redact(dsn string) string { return NewDriver().(contract.DSNRedactor).RedactDSN(dsn) }

// bare takes away what upstream reads besides the DSN.
func bare(t testing.TB) {
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PG") {
			os.Unsetenv(name)
			t.Cleanup(func() { os.Setenv(name, value) })
		}
	}
	home, set := os.LookupEnv("HOME")
	os.Setenv("HOME", t.TempDir())
	if set {
		t.Cleanup(func() { os.Setenv("HOME", home) })
	}
}

// accepted are DSNs, what RedactDSN makes of them, and what upstream reads.
var accepted = []struct{ dsn, redacted, host, user, password, database string }{
	{"", "", "", "", "", ""},
	{"postgres://", "postgres://", "", "", "", ""},
	{"postgres://h/d", "postgres://h/d", "h", "", "", "d"},
	{"postgresql://u@h:5433/d?sslmode=disable", "postgresql://u@h:5433/d?sslmode=disable", "h", "u", "", "d"},
	{"postgres://u:p@h/d", "postgres://u:REDACTED@h/d", "h", "u", "p", "d"},
	{"postgres://u:@h/d", "postgres://u:@h/d", "h", "u", "", "d"},
	{"postgres://:p@h", "postgres://:REDACTED@h", "h", "", "p", ""},
	{"postgres://u%40x:p%40%2F%3a@h/d%20e", "postgres://u%40x:REDACTED@h/d%20e", "h", "u@x", "p@/:", "d e"},
	{"postgres://u:p:q?r=s&t@h/d", "postgres://u:REDACTED@h/d", "h", "u", "p:q?r=s&t", "d"},
	{"postgres://u:p@[::1]:5433/d", "postgres://u:REDACTED@[::1]:5433/d", "::1", "u", "p", "d"},
	{"postgres://u@h1:1,h2,h3:3/d?target_session_attrs=any", "postgres://u@h1:1,h2,h3:3/d?target_session_attrs=any", "h1", "u", "", "d"},
	{"postgres://h1,h2/d?port=5433", "postgres://h1,h2/d?port=5433", "h1", "", "", "d"},
	{"postgres:///d?host=/tmp&user=u&password=p&ssl=true", "postgres:///d?host=/tmp&user=u&password=REDACTED&ssl=true", "/tmp", "u", "p", "d"},
	{"postgres://h?pass%77ord=p", "postgres://h?pass%77ord=REDACTED", "h", "", "p", ""},
	{"postgres://h?sslpassword=s&application_name=a", "postgres://h?sslpassword=REDACTED&application_name=a", "h", "", "", ""},
	{"postgres://h?options=-c%20a%3Db&search_path=s", "postgres://h?REDACTED&search_path=s", "h", "", "", ""},

	{"host=h", "host=h", "h", "", "", ""},
	{" host = h\tuser=u\nport=5433 ", " host = h\tuser=u\nport=5433 ", "h", "u", "", ""},
	{"host=h password=p dbname=d", "host=h password=REDACTED dbname=d", "h", "", "p", "d"},
	{`password='a b\'c\\' host=h`, `password=REDACTED host=h`, "h", "", `a b'c\`, ""},
	{`password=a\ b host=h`, `password=REDACTED host=h`, "h", "", "a b", ""},
	{"password=a=b host=h", "password=REDACTED host=h", "h", "", "a=b", ""},
	{"host=h password = 'p' user=u", "host=h password = REDACTED user=u", "h", "u", "p", ""},
	{"host=h password=my secret=x user=u", "host=h password=REDACTED REDACTED user=u", "h", "u", "my", ""},
	{"host=h user='a b' password='x;y password=z' search_path='a, b'", "host=h user='a b' password=REDACTED search_path='a, b'", "h", "a b", "x;y password=z", ""},
	{"host=h password=a\u00a0b user=u", "host=h password=REDACTED user=u", "h", "u", "a\u00a0b", ""},
	{"host=h password=''", "host=h password=REDACTED", "h", "", "", ""},
	{"host=h1,h2 port=1,2 sslmode=verify-full channel_binding=require require_auth=!password,!md5", "host=h1,h2 port=1,2 sslmode=verify-full channel_binding=require require_auth=!password,!md5", "h1", "", "", ""},
	{"host=h connect_timeout=5 statement_cache_capacity=0 default_query_exec_mode=simple_protocol", "host=h connect_timeout=5 statement_cache_capacity=0 default_query_exec_mode=simple_protocol", "h", "", "", ""},
	{"host=h min_protocol_version=3.0 max_protocol_version=3.2 sslnegotiation=direct sslsni=0", "host=h min_protocol_version=3.0 max_protocol_version=3.2 sslnegotiation=direct sslsni=0", "h", "", "", ""},
}

func TestAcceptedDSNs(t *testing.T) {
	bare(t)
	for _, tt := range accepted {
		if _, err := NewDriver().OpenConnector(tt.dsn); err != nil {
			t.Errorf("%s: %v", tt.dsn, err)
			continue
		}
		if got := redact(tt.dsn); got != tt.redacted {
			t.Errorf("%s: redacted %q, want %q", tt.dsn, got, tt.redacted)
		}
		c, err := pgx.ParseConfig(tt.dsn)
		if err != nil {
			t.Errorf("%s: accepted here, but not by upstream: %v", tt.dsn, err)
			continue
		}
		open := func(want, got string) bool { return want != "" && want != got }
		if open(tt.host, c.Host) || open(tt.user, c.User) || tt.password != c.Password || open(tt.database, c.Database) {
			t.Errorf("%s: upstream reads host %q, user %q, password %q, database %q", tt.dsn, c.Host, c.User, c.Password, c.Database)
		}
	}
}

// foreign are DSNs as other databases have them, or pasted with a space that is
// none, of which a part with the password reads like a host or a user. Each is
// refused with the text.
var foreign = map[string]string{
	"host=h;user=u;password=hunter2":                     `"host": it contains "="`,
	"user=u;password=hunter2;host=h":                     `"user": it contains ";"`,
	"application_name=a;hunter2":                         `"application_name": it contains ";"`,
	"postgres://h;password%3Dhunter2/d":                  `"host": it contains "="`,
	"postgres://u;hunter2@h/d":                           `"user": it contains ";"`,
	"postgres://h/d;hunter2":                             `"dbname": it contains ";"`,
	"host=127.0.0.1,password=hunter2":                    `"host": it contains "="`,
	"host=h,x=hunter2":                                   `"host": it contains "="`,
	"user=u,password=hunter2":                            `"user": it contains what looks like a password`,
	"user=u,PWD=hunter2":                                 `"user": it contains what looks like a password`,
	"user=u&passwd=hunter2":                              `"user": it contains what looks like a password`,
	"postgres://u@h?search_path=s,password%20%3Dhunter2": `"search_path": it contains what looks like a password`,
	"user='u password = hunter2'":                        `"user": it contains what looks like a password`,
	"user=x\u00a0password=hunter2":                       `"user": it contains a space other than " "`,
	"user=x\u3000hunter2":                                `"user": it contains a space other than " "`,
	"user=x\u200bpassword=hunter2":                       `"user": it contains what looks like a password`,
	"user='x\nhunter2'":                                  `"user": it contains a space other than " "`,
	"user=x\x1bhunter2":                                  `"user": it contains a space other than " " or a control character`,
	"postgres://u@h?application_name=a%0Ahunter2":        `"application_name": it contains a space other than " "`,
	"sslrootcert=r;hunter2":                              `"sslrootcert": it contains ";"`,
}

// TestRefusedDSNs: each DSN holds a secret that neither the error nor RedactDSN
// may tell.
func TestRefusedDSNs(t *testing.T) {
	refused := maps.Clone(foreign)
	maps.Copy(refused, map[string]string{
		"hunter2":                                                     "neither a URL nor key=value pairs",
		"hunter2\x00":                                                 "NUL byte",
		"POSTGRES://u:hunter2@h":                                      `write "postgres://"`,
		"mysql://u:hunter2@h/d?a=b":                                   "the key of a setting is not",
		"u:hunter2@tcp(h)/d?a=b":                                      "the key of a setting is not",
		"postgres://u:p@hunter2@h/d":                                  `contains "@" behind the user`,
		"postgres://u:123/hunter2@h/d":                                `contains "@" behind the user`,
		"postgres://u:hunter2":                                        `"port": wanted a number`,
		"postgres://u:hunter2/x":                                      `"port": wanted a number`,
		"postgres://u:%zz-hunter2@h":                                  "malformed percent escape",
		"postgres://u:hunter2%0@h":                                    "malformed percent escape",
		"postgres://u:hunter2%00@h":                                   "malformed percent escape",
		"postgres://u:hunter2 x@h":                                    "white space",
		"postgres://[hunter2":                                         "IPv6",
		"postgres://[]hunter2":                                        "IPv6",
		"postgres://[::1]hunter2":                                     `behind "]"`,
		"postgres://h?hunter2":                                        "not of the form key=value",
		"postgres://h?a=hunter2=b":                                    "not of the form key=value",
		"postgres://h?=hunter2":                                       "the key of a setting is not",
		"postgres://h?sslmode=hunter2":                                `"sslmode": wanted one of disable, `,
		"postgres://h/d?dbname=hunter2":                               `"dbname" is given twice`,
		"postgres://h?password=a&password=hunter2":                    `"password" is given twice`,
		"postgres://u:p@h?password=hunter2":                           `"password" is given twice`,
		"postgres://h?ssl=true&sslmode=disable#hunter2":               `"sslmode": wanted one of`,
		"postgres://h?ssl=hunter2":                                    `"ssl": wanted one of true`,
		"postgres://h1:1,h2:2,h3/d?port=1,2&x=hunter2":                `"port" is given twice`,
		"postgres://h1,h2,h3/d?port=1,2&x=hunter2":                    "3 hosts and 2 ports",
		"host=h port=hunter2":                                         `"port": wanted a number`,
		"host=h port=0 x=hunter2":                                     `"port": wanted a number`,
		"host=h port=65536 x=hunter2":                                 `"port": wanted a number`,
		"host=u:hunter2@h":                                            `"host": it contains "@"`,
		"dbname=postgres://u:hunter2@h/d":                             `"dbname": wanted a name`,
		"dbname=hunter2 database=d":                                   "mean the same",
		"host=h ssl=true password=hunter2":                            "write sslmode=require",
		"host=h password=my hunter2 user=u":                           "neither a URL nor key=value pairs",
		"host=h password='my'hunter2 user=u":                          "a space is to follow",
		"host=h password='hunter2":                                    "not closed",
		`host=h password=hunter2\`:                                    "backslash",
		"=hunter2":                                                    "neither a URL nor key=value pairs",
		"host=h connect_timeout=hunter2":                              `"connect_timeout": wanted a number`,
		"host=h connect_timeout=-1 x=hunter2":                         `"connect_timeout": wanted a number`,
		"host=h sslcert=hunter2":                                      "needed together",
		"host=h require_auth=!md5,hunter2":                            `"require_auth": either all`,
		"host=h require_auth=hunter2":                                 `"require_auth": wanted one of`,
		"host=h default_query_exec_mode=hunter2":                      `"default_query_exec_mode": wanted one of`,
		"min_protocol_version=3.2 max_protocol_version=3.0 x=hunter2": `"min_protocol_version" is above`,
	})
	for dsn, fault := range refused {
		_, err := NewDriver().OpenConnector(dsn)
		if err == nil || !strings.Contains(err.Error(), fault) || !strings.HasPrefix(err.Error(), "postgres: wrong DSN: ") {
			t.Errorf("%s: got %v, want %q", dsn, err, fault)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the secret: %v", dsn, err)
		}
		if got := redact(dsn); got != "" {
			t.Errorf("%s: RedactDSN makes %q of it", dsn, got)
		}
	}
}

// OpenConnector touches no file: upstream would fail for these, or read them.
func TestOpenConnectorReadsNothing(t *testing.T) {
	bare(t)
	t.Setenv("PGPORT", "not a port")
	t.Setenv("PGSERVICE", "missing")
	for _, dsn := range []string{"", "host=h", "host=h sslrootcert=/missing sslcert=/missing sslkey=/missing", "service=missing servicefile=/missing"} {
		c, err := NewDriver().OpenConnector(dsn)
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		if _, err := c.Connect(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "postgres: wrong settings in the DSN, the environment or a file: ") {
			t.Errorf("%s: Connect: %v", dsn, err)
		}
	}
}

// fuzzed keys make upstream read files or look elsewhere.
var elsewhere = []string{"service", "servicefile", "passfile", "sslcert", "sslkey", "sslrootcert"}

// What is accepted here, upstream accepts, and reads the same password, which
// is not in the redacted text.
func FuzzDSN(f *testing.F) {
	bare(f)
	for _, tt := range accepted {
		f.Add(tt.dsn)
	}
	for dsn := range foreign {
		f.Add(dsn)
	}
	f.Add("host=h sslmode=allow krbspn=x timezone=UTC")
	f.Add("postgres://u:p@h/d?password=%70&x=y")
	f.Fuzz(func(t *testing.T, dsn string) {
		settings, err := parseDSN(dsn)
		redacted := redact(dsn)
		if err != nil {
			if redacted != "" {
				t.Errorf("%q is refused, and redacted %q", dsn, redacted)
			}
			return
		}
		if strings.Contains(redacted, "password=hunter2") {
			t.Errorf("%q is redacted %q", dsn, redacted)
		}
		password, unknown := "", false
		for _, s := range settings {
			if slices.Contains(elsewhere, s.key) {
				t.Skip("needs files")
			}
			if s.key == "password" {
				password = s.value
			}
			_, known := rules[s.key]
			unknown = unknown || !known && !slices.Contains(secret, s.key)
		}
		c, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatalf("%q is accepted, but not by upstream: %v", dsn, err)
		}
		if c.Password != password {
			t.Errorf("%q: password %q, upstream reads %q", dsn, password, c.Password)
		}
		if unknown {
			return // the redacted text is no DSN
		}
		if c, err = pgx.ParseConfig(redacted); err != nil || c.Password != "" && c.Password != "REDACTED" {
			t.Errorf("%q was redacted to %q, of which upstream makes %v, %v", dsn, redacted, c, err)
		}
	})
}
