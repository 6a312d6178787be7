package mysql

import (
	"strings"
	"testing"
	"time"

	upstream "github.com/go-sql-driver/mysql"
	"github.com/keyway-go/keyway/contract"
)

// accepted has, of each DSN, user, password, network, address and database,
// separated by blanks; "-" stands for an empty one.
var accepted = []struct{ dsn, want string }{
	{"/", "- - tcp 127.0.0.1:3306 -"},
	{"/app", "- - tcp 127.0.0.1:3306 app"},
	{"root@/app", "root - tcp 127.0.0.1:3306 app"},
	{"root:@/app", "root - tcp 127.0.0.1:3306 app"},
	{"u:s3cret@tcp/app", "u s3cret tcp 127.0.0.1:3306 app"},
	{"u:s3cret@tcp()/app", "u s3cret tcp 127.0.0.1:3306 app"},
	{"u:s3cret@tcp(db.example.com)/app", "u s3cret tcp db.example.com:3306 app"},
	{"u:s3cret@tcp(db-1.example.com:3307)/app", "u s3cret tcp db-1.example.com:3307 app"},
	{"u:s3cret@tcp(:3307)/app", "u s3cret tcp :3307 app"},
	{"u:s3cret@tcp4(10.0.0.1)/", "u s3cret tcp4 10.0.0.1:3306 -"},
	{"u:s3cret@tcp6/", "u s3cret tcp6 [::1]:3306 -"},
	{"u:s3cret@tcp([fe80::1%eth0]:3307)/app", "u s3cret tcp [fe80::1%eth0]:3307 app"},
	{"u:s3cret@tcp([::1])/app", "u s3cret tcp [::1]:3306 app"},
	{"u:s3cret@unix(/run/mysqld/mysqld.sock)/app", "u s3cret unix /run/mysqld/mysqld.sock app"},
	{"u:s3cret@unix/app", "u s3cret unix /tmp/mysql.sock app"},
	{"u:p@:/?&=#%s3cret@tcp(h:1)/app", "u p@:/?&=#%s3cret tcp h:1 app"},
	{"u:s3cret@tcp(h)/a%2Fb%40c", "u s3cret tcp h:3306 a/b@c"},
	{"mysql://db.example.com", "- - tcp db.example.com:3306 -"},
	{"mysql://u:s3cret@db.example.com/app", "u s3cret tcp db.example.com:3306 app"},
	{"MariaDB://u:s3cret@db.example.com:3307/", "u s3cret tcp db.example.com:3307 -"},
	{"mysql://u%3A1:s3cret%40%2F%3F%23+@h/app?parseTime=true", "u:1 s3cret@/?#+ tcp h:3306 app"},
	{"mysql://u:s3cret:x@[::1]:3307/app", "u s3cret:x tcp [::1]:3307 app"},
	{"mysql://u:s3cret@[fe80::1%25eth0]/app", "u s3cret tcp [fe80::1%eth0]:3306 app"},
	{"mysql://u:s3cret@x@h/app", "u s3cret@x tcp h:3306 app"},
	{"mysql:///app", "- - tcp 127.0.0.1:3306 app"},
	{"mysql://u:s3cret@/app?socket=/run/mysqld/a%40b.sock", "u s3cret unix /run/mysqld/a@b.sock app"},
	{"mysql://u:s3cret@h?tls=true", "u s3cret tcp h:3306 -"},
	{"u:s3cret@tcp(h)/app?charset=utf8mb4,utf8&collation=utf8mb4_bin&loc=Local&maxAllowedPacket=0", "u s3cret tcp h:3306 app"},
	{"/app?timeout=1.5s&readTimeout=0&writeTimeout=1m&timeTruncate=1us&&", "- - tcp 127.0.0.1:3306 app"},
	{"/app?tls=skip-verify&compress=TRUE&connectionAttributes=program:x%26y%2Ca:&rejectReadOnly=0", "- - tcp 127.0.0.1:3306 app"},
	{"/app?time_zone='Europe%2FBerlin'&autocommit=0&sql_mode='it''s'&wait_timeout=5&tx_isolation=DEFAULT", "- - tcp 127.0.0.1:3306 app"},
}

func TestAcceptedDSNs(t *testing.T) {
	or := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	for _, tt := range accepted {
		cfg, err := parseDSN(tt.dsn)
		if err != nil {
			t.Errorf("%s: %v", tt.dsn, err)
			continue
		}
		got := strings.Join([]string{or(cfg.User), or(cfg.Passwd), cfg.Net, cfg.Addr, or(cfg.DBName)}, " ")
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.dsn, got, tt.want)
		}
		if _, err := NewDriver().OpenConnector(tt.dsn); err != nil {
			t.Errorf("%s: %v", tt.dsn, err)
		}
	}
}

// TestParametersReachUpstream, those that another test does not see on a server.
func TestParametersReachUpstream(t *testing.T) {
	all := "allowAllFiles=1&allowCleartextPasswords=1&allowFallbackToPlaintext=1&allowNativePasswords=0&allowOldPasswords=1&" +
		"checkConnLiveness=0&clientFoundRows=1&columnsWithAlias=1&interpolateParams=1&multiStatements=1&rejectReadOnly=1&" +
		"readTimeout=1s&writeTimeout=2s&timeout=3s&collation=utf8mb4_bin&maxAllowedPacket=17&connectionAttributes=a:b%26c&tls=true"
	for _, dsn := range []string{"u:p@tcp(h)/?" + all, "mysql://u:p@h?" + all} {
		cfg, err := parseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		if !cfg.AllowAllFiles || !cfg.AllowCleartextPasswords || !cfg.AllowFallbackToPlaintext || cfg.AllowNativePasswords ||
			!cfg.AllowOldPasswords || cfg.CheckConnLiveness || !cfg.ClientFoundRows || !cfg.ColumnsWithAlias ||
			!cfg.InterpolateParams || !cfg.MultiStatements || !cfg.RejectReadOnly || !cfg.ParseTime {
			t.Errorf("%s: a boolean is wrong: %+v", dsn, cfg)
		}
		if cfg.ReadTimeout != time.Second || cfg.WriteTimeout != 2*time.Second || cfg.Timeout != 3*time.Second ||
			cfg.Collation != "utf8mb4_bin" || cfg.MaxAllowedPacket != 17 || cfg.ConnectionAttributes != "a:b&c" ||
			cfg.TLSConfig != "true" || cfg.TLS != nil || cfg.Params["time_zone"] != "'+00:00'" {
			t.Errorf("%s: a value is wrong: %+v", dsn, cfg)
		}
	}
	for dsn, want := range map[string]string{
		"/?loc=Europe%2FBerlin":         "",
		"/?time_zone='SYSTEM'":          "'SYSTEM'",
		"/?loc=Local&time_zone=DEFAULT": "DEFAULT",
	} {
		if cfg, err := parseDSN(dsn); err != nil || cfg.Params["time_zone"] != want {
			t.Errorf("%s: %v, %v", dsn, cfg, err)
		}
	}
}

func TestRefusedDSNs(t *testing.T) {
	tests := []struct{ dsn, want string }{
		{"", `write "/"`},
		{"a\x00/b", "NUL"},
		{"u:p@tcp(h:3306)", `no "/" before the name of the database`},
		{"u:p@h:3306/db", "wanted the network tcp"},
		{"postgres://u:p@h/db", "wanted the network tcp"},
		{"u:p@udp(h)/db", "wanted the network tcp"},
		{"u:p@tcp(h/db", "wanted tcp(host:port)"},
		{"u:p@tcp(h)/db?loc=Europe/Berlin", `a "/" in a parameter is written %2F`},
		{"u:p@tcp(h)x/db", "wanted tcp(host:port)"},
		{"u:p@tcp(h:mysql)/db", "wanted a port"},
		{"u:p@tcp(h:)/db", "wanted a port"},
		{"u:p@tcp(h:0)/db", "wanted a port"},
		{"u:p@tcp(h:65536)/db", "wanted a port"},
		{"u:p@tcp(h h)/db", "wanted the name of a host"},
		{"u:p@tcp(::1)/db", "in brackets"},
		{"u:p@tcp([::1)/db", `no "]"`},
		{"u:p@tcp([::1]3306)/db", `behind the "]"`},
		{"u:p@tcp([10.0.0.1])/db", "no IPv6 address"},
		{"u:p@unix(mysql.sock)/db", "absolute path"},
		{":p@/db", "a password and no user"},
		{"/d%zzb", "the database has a malformed percent escape"},
		{"/db%00", "%00"},
		{"/db@x", `"@" behind the address`},
		{"u/p@tcp(h)", `"@" behind the address`},
		{"mysql://u:p/w@h/db", `a second "/"`},
		{"mysql://u:1/w@h", `"@" behind the address`},
		{"mysql://u:1?w@h/db", `"@" behind the address`},
		{"mysql://u:p#w@h/db", "write %23"},
		{"mysql://u:p%zz@h/db", "user or password has a malformed percent escape"},
		{"mysql://u%00:p@h/db", "%00"},
		{"mysql://h%zz/db", "the host has a malformed percent escape"},
		{"mysql://h:x/db", "wanted a port"},
		{"mysql://u:p@h/db?socket=/s", `"socket": there is a host as well`},
		{"mysql:///db?socket=s", "absolute path of a Unix socket"},
		{"/db?socket=%2Fs", `unknown parameter "socket"`},
		{"/db?parseTime", `"parseTime" has no "="`},
		{"/db?parseTime=", `"parseTime": wanted true or false`},
		{"/db?parseTime=yes", `"parseTime": wanted true or false`},
		{"/db?parsetime=true", `unknown parameter "parsetime"; write "parseTime"`},
		{"/db?parse_time=true", `write "parseTime"`},
		{"/db?read_timeout=1", `write "readTimeout"`},
		{"/db?parseTime=1&parseTime=1", `"parseTime" is given twice`},
		{"/db?foo=1", `unknown parameter "foo"; known are allowAllFiles, `},
		{"/db?global.foo_bar=1", `unknown parameter "global.foo_bar"`},
		{"/db?Wait_Timeout=1", `unknown parameter "Wait_Timeout"`},
		{"/db?db_password=x", `a password stands before the "@"`},
		{"/db?%zz=1", "malformed name"},
		{"/db?=1", "malformed name"},
		{"/db?loc=%zz", `"loc" has a malformed percent escape`},
		{"/db?loc=%00", `"loc" contains %00`},
		{"/db?loc=", `"loc": wanted`},
		{"/db?loc=..%2Fx", `"loc": wanted the name of a time zone`},
		{"/db?timeout=5", `"timeout": wanted a duration`},
		{"/db?timeout=-5s", `"timeout": wanted a duration`},
		{"/db?maxAllowedPacket=-1", `"maxAllowedPacket": wanted bytes`},
		{"/db?charset=utf8 mb4", `"charset": wanted names`},
		{"/db?collation=utf8;x", `"collation": wanted`},
		{"/db?connectionAttributes=a", `"connectionAttributes": wanted pairs`},
		{"/db?tls=custom", `"tls": wanted true, skip-verify`},
		{"u@unix(/s)/db?tls=true", "no host name to verify"},
		{"/db?serverPubKey=mine", `"serverPubKey": wanted nothing`},
		{"/db?strict=true", `"strict": wanted nothing`},
		{"/db?interpolateParams=true&collation=gbk_bin", `"collation": in this character set`},
		{"/db?interpolateParams=true&charset=utf8,sjis", `"charset": in this character set`},
		{"/db?sql_mode=1, global max_connections=1", `"sql_mode": wanted a number, a word, or a text`},
		{"/db?sql_mode='a' 'b'", `"sql_mode": wanted`},
		{`/db?sql_mode='a\'`, `"sql_mode": wanted`},
		{"/db?sql_mode=(SELECT 1)", `"sql_mode": wanted`},
	}
	for _, tt := range tests {
		_, err := NewDriver().OpenConnector(tt.dsn)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("OpenConnector(%q): %v\nwanted an error with: %s", tt.dsn, err, tt.want)
		}
	}
}

// TestSecretsStayOut has DSNs that are right and such that are nearly.
func TestSecretsStayOut(t *testing.T) {
	const secret = "s3cret"
	dsns := []string{
		"u:s3cret@tcp(h)", "u:s3cret@h/db", "u:s3cret@udp(h)/db", "u:s3cret/x@tcp(h)", "u:/s3cret@tcp(h)", "u:x/s3cret=1@tcp(h)",
		"u:x/y?s3cret=1@tcp(h)/", "u:x/y?s3cret=1@tcp(h)", "u:s3crettcp(h)/db", "u:s3cret@tcp(h:s3cret)/", "u:s3cret@tcp(h)/db?foo=s3cret",
		"u:s3cret@tcp(h)/db?tls=s3cret", "u:s3cret@tcp(h)/db?timeout=s3cret", "u:s3cret@tcp(h)/db?parseTime=s3cret", "u:s3cret@tcp(h)/%zzs3cret",
		"u@tcp(h)/db?password=s3cret", "u@tcp(h)/db?db_password=s3cret", "u@tcp(h)/db?sql_mode=s3cret!", "u@tcp(h)/db?loc=%zzs3cret",
		"mysql://u:s3cret/x@h/db", "mysql://u:/s3cret@h/db", "mysql://u:1?s3cret=@h/db", "mysql://u:1#s3cret@h/db", "mysql://u:%zzs3cret@h/db",
		"mysql://u:s3cret@h:x/db", "mysql://u:s3cret", "mysql://u:1/s3cret@h", "mysql://s3cret%zz/db", "mysql://u:s3cret@h/db?tls=s3cret",
		"/?connectionAttributes=password:s3cret", "/?connectionAttributes=s3cret:x", "/?connectionAttributes=a%3As3cret&tls=false",
		"u:p@/?aes_key='s3cret'", "mysql://h?proxy_auth='u:s3cret'", "/?init_connect='x%26s3cret'", "/?tls=false&vault_pin=s3cret&tls=true",
		"postgres://u:s3cret@h/db", "host=h password=s3cret", "s3cret\x00", "s3cret",
	}
	for _, tt := range accepted {
		dsns = append(dsns, tt.dsn)
	}
	for _, dsn := range dsns {
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
		{"/", "/"},
		{"u@tcp(h)/db?parseTime=false", "u@tcp(h)/db?parseTime=false"},
		{"u:@tcp(h)/db", "u:@tcp(h)/db"},
		{"u:p@x:/y@tcp(h)/db?parseTime=false", "u:REDACTED@tcp(h)/db?parseTime=false"},
		{"mysql://u:p%40x:y@h/db?tls=true", "mysql://u:REDACTED@h/db?tls=true"},
		{"mysql://u:p@/db?socket=/s", "mysql://u:REDACTED@/db?socket=/s"},
		{"mysql://u@h", "mysql://u@h"},
		{"/?", "/?"},
		{"/?aes_key='s%26x'&&sql_mode='ANSI'&init_connect=s&", "/?aes_key=REDACTED&&sql_mode='ANSI'&init_connect=REDACTED&"},
		{"/db?connectionAttributes=a:b,password:s&autocommit=1", "/db?connectionAttributes=REDACTED:&autocommit=1"},
		{"u:p?x_y=1@tcp(h)/?x_y=1&time_zone=DEFAULT", "u:REDACTED@tcp(h)/?x_y=REDACTED&time_zone=DEFAULT"},
		{"u:p@tcp(h)/db?foo=1", ""},
		{"postgres://u:p@h/d", ""},
	}
	for _, tt := range tests {
		if got := NewDriver().(contract.DSNRedactor).RedactDSN(tt.dsn); got != tt.want {
			t.Errorf("RedactDSN(%q) = %q, want %q", tt.dsn, got, tt.want)
		}
	}
}

// FuzzParseDSN: what is accepted means the same to upstream, if it is of its
// form, and is redacted to what means the same but for what may be secret.
func FuzzParseDSN(f *testing.F) {
	for _, tt := range accepted {
		f.Add(tt.dsn)
	}
	f.Add("u:p@x:/y@tcp(h)/db?strict=1")
	d := NewDriver()
	f.Fuzz(func(t *testing.T, dsn string) {
		_, err := d.OpenConnector(dsn)
		hidden := d.(contract.DSNRedactor).RedactDSN(dsn)
		if err != nil {
			if hidden != "" {
				t.Errorf("OpenConnector refuses %q, RedactDSN makes %q of it", dsn, hidden)
			}
			return
		}
		ours, err := parseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := split(dsn); err == nil && !p.url {
			theirs, err := upstream.ParseDSN(dsn)
			if err == nil && (theirs.User != ours.User || theirs.Passwd != ours.Passwd || theirs.DBName != ours.DBName || theirs.Net != ours.Net) {
				t.Errorf("%q is %+v to us and %+v to upstream", dsn, ours, theirs)
			}
		}
		again, err := parseDSN(hidden)
		if err != nil {
			t.Fatalf("%q was redacted to %q: %v", dsn, hidden, err)
		}
		if again.User != ours.User || again.Addr != ours.Addr || again.DBName != ours.DBName || again.Passwd != "" && again.Passwd != redacted {
			t.Errorf("%q was redacted to %q", dsn, hidden)
		}
	})
}
