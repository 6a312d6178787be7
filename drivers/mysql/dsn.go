package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	upstream "github.com/go-sql-driver/mysql"
)

// parsed is a DSN in parts. No part is known to be right before check.
type parsed struct {
	url      bool // "mysql://" or "mariadb://"
	user     string
	password string
	// where the password stands in the text; empty if there is none
	secret struct{ begin, end int }

	network, address string
	database         string
	params           []param
	query            string // the params as they were written, at the end of the text
}

// param is one parameter of a DSN.
type param struct {
	name, value string // unescaped
	err         error  // why they are not, without their text
}

// parseDSN checks a DSN and returns upstream's form of it, whose Logger is still
// to be set. An error tells what is wrong without quoting a value, and is about
// the first fault only: what follows one may be the rest of a password.
func parseDSN(text string) (*upstream.Config, error) {
	p, err := split(text)
	if err == nil {
		err = p.check()
	}
	var cfg *upstream.Config
	if err == nil {
		cfg, err = p.config()
	}
	if err != nil {
		return nil, fmt.Errorf("mysql: wrong DSN: %w", err)
	}
	return cfg, nil
}

func split(text string) (parsed, error) {
	if text == "" {
		return parsed{}, errors.New(`it is empty; write "/" for the server on this machine, as nobody and without a database`)
	}
	if strings.ContainsRune(text, 0) {
		return parsed{}, errors.New("it contains a NUL byte")
	}
	if scheme, _, found := strings.Cut(text, "://"); found && (strings.EqualFold(scheme, "mysql") || strings.EqualFold(scheme, "mariadb")) {
		return splitURL(text, len(scheme)+len("://"))
	}
	return splitPlain(text)
}

// splitPlain does as upstream does: the last "/" ends the address, the last "@"
// before it the password, and the first ":" the user's name.
func splitPlain(text string) (parsed, error) {
	slash := strings.LastIndexByte(text, '/')
	if slash < 0 {
		return parsed{}, errors.New(`there is no "/" before the name of the database; ` +
			`wanted user:password@tcp(host:3306)/database or mysql://user:password@host:3306/database`)
	}
	var p parsed
	left := text[:slash]
	if at := strings.LastIndexByte(left, '@'); at >= 0 {
		p.user, p.password, _ = strings.Cut(left[:at], ":")
		p.secret.begin, p.secret.end = min(len(p.user)+1, at), at
		left = left[at+1:]
	}
	var open bool
	if p.network, p.address, open = strings.Cut(left, "("); open {
		var closed bool
		if p.address, closed = strings.CutSuffix(p.address, ")"); !closed {
			return parsed{}, errors.New(`wanted tcp(host:port) or unix(path) before the "/"; a "/" in a parameter is written %2F`)
		}
	}
	err := p.splitRest(text[slash+1:])
	return p, err
}

// splitURL has the parts of RFC 3986, section 3: what stands before the first
// of "/", "?" and "#" is user, password and host.
func splitURL(text string, begin int) (parsed, error) {
	p := parsed{url: true, network: "tcp"}
	if strings.Contains(text, "#") {
		return p, errors.New(`it contains "#", which ends a URL; write %23`)
	}
	end := begin + strings.IndexAny(text[begin:]+"/", "/?")
	authority := text[begin:end]
	var err error
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		p.secret.begin, p.secret.end = begin+min(len(user)+1, at), begin+at
		if p.user, err = url.PathUnescape(user); err == nil {
			p.password, err = url.PathUnescape(password)
		}
		authority = authority[at+1:]
	}
	if err != nil {
		return p, errors.New(`user or password has a malformed percent escape; write %25 for "%"`)
	}
	if p.address, err = url.PathUnescape(authority); err != nil {
		return p, errors.New("the host has a malformed percent escape")
	}
	rest := strings.TrimPrefix(text[end:], "/")
	path, _, _ := strings.Cut(rest, "?")
	if strings.Contains(path, "/") {
		return p, errors.New(`there is a second "/" in the name of the database; write %2F there, and in a password`)
	}
	err = p.splitRest(rest)
	return p, err
}

// splitRest takes what follows the address: "database?name=value&...". An "@"
// there tells that a password was not escaped and has been taken apart.
func (p *parsed) splitRest(rest string) error {
	if strings.Contains(rest, "@") {
		return errors.New(`there is an "@" behind the address; write %40 there, and in a URL's password also %2F for "/" and %3F for "?"`)
	}
	raw, query, _ := strings.Cut(rest, "?")
	p.query = query
	var err error
	if p.database, err = url.PathUnescape(raw); err != nil {
		return errors.New(`the name of the database has a malformed percent escape; write %25 for "%"`)
	}
	if strings.ContainsRune(p.database, 0) || strings.ContainsRune(p.user, 0) || strings.ContainsRune(p.password, 0) {
		return errors.New("it contains %00")
	}
	for raw := range strings.SplitSeq(query, "&") {
		if raw != "" {
			p.params = append(p.params, splitParam(raw))
		}
	}
	return nil
}

func splitParam(raw string) param {
	rawName, rawValue, found := strings.Cut(raw, "=")
	if !isWord(rawName) {
		return param{err: errors.New(`a parameter has a malformed name; write %26 for a "&" inside of a value`)}
	}
	p := param{name: rawName}
	var err error
	switch p.value, err = url.QueryUnescape(rawValue); {
	case !found:
		p.err = fmt.Errorf(`parameter %q has no "="`, clip(p.name))
	case err != nil:
		p.err = fmt.Errorf(`parameter %q has a malformed percent escape; write %%25 for "%%"`, clip(p.name))
	case strings.ContainsRune(p.value, 0):
		p.err = fmt.Errorf("parameter %q contains %%00", clip(p.name))
	}
	return p
}

// check looks at everything, and completes the address.
func (p *parsed) check() error {
	if p.user == "" && p.password != "" {
		return errors.New("there is a password and no user")
	}
	if p.url && p.address == "" {
		if path, ok := p.value("socket"); ok {
			p.network, p.address = "unix", path
		}
	} else if _, ok := p.value("socket"); ok && p.url {
		return errors.New(`parameter "socket": there is a host as well; give one of them`)
	}
	var err error
	if p.address, err = addressOf(p.network, p.address); err != nil {
		return err
	}
	if p.network == "" {
		p.network = "tcp"
	}
	return p.checkParams()
}

// addressOf checks the address for a network and fills in what is missing.
func addressOf(network, address string) (string, error) {
	switch network {
	case "unix":
		if address == "" {
			return "/tmp/mysql.sock", nil
		}
		if address[0] != '/' {
			return "", errors.New("wanted the absolute path of a Unix socket")
		}
		return address, nil
	case "", "tcp", "tcp4", "tcp6":
		return tcpAddress(network, address)
	}
	return "", errors.New(`wanted the network tcp, tcp4, tcp6 or unix, as in tcp(host:3306); a "/" in a parameter is written %2F`)
}

func tcpAddress(network, address string) (string, error) {
	host, port, hasPort := strings.Cut(address, ":")
	if strings.HasPrefix(address, "[") {
		var closed bool
		if host, port, closed = strings.Cut(address[1:], "]"); !closed {
			return "", errors.New(`there is no "]" behind the IPv6 address`)
		}
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return "", errors.New("what stands in brackets is no IPv6 address")
		}
		if port, hasPort = strings.CutPrefix(port, ":"); port != "" && !hasPort {
			return "", errors.New(`wanted ":" and a port behind the "]"`)
		}
	} else if strings.Contains(port, ":") {
		return "", errors.New("write an IPv6 address in brackets, as in [::1]:3306")
	} else if host != "" && !isWord(host) {
		return "", errors.New("wanted the name of a host, or an IP address")
	}
	if host == "" && !hasPort {
		host = map[string]string{"tcp6": "::1"}[network]
		if host == "" {
			host = "127.0.0.1"
		}
	}
	if !hasPort {
		port = "3306"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("wanted a port from 1 to 65535")
	}
	return net.JoinHostPort(host, port), nil
}

// config writes the parameters for upstream to read, which is the only way to
// set some of them, and then what it would not read from a DSN as we do.
func (p *parsed) config() (*upstream.Config, error) {
	query := url.Values{}
	zone := "UTC"
	for _, q := range p.params {
		switch q.name {
		case "socket":
		case "loc":
			zone = q.value
		default:
			query.Set(q.name, q.value)
		}
	}
	if !query.Has("parseTime") {
		query.Set("parseTime", "true")
	}
	if zone == "UTC" && !query.Has("time_zone") {
		query.Set("time_zone", "'+00:00'")
	}
	cfg, err := upstream.ParseDSN("/?" + encode(query))
	if err != nil { // its text quotes values
		return nil, errors.New("the parameters do not go together")
	}
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = p.user, p.password, p.network, p.address, p.database
	cfg.TLS = nil // made for another host; NewConnector makes it anew
	if zone == "UTC" {
		return cfg, nil
	}
	return cfg, cfg.Apply(upstream.BeforeConnect(func(_ context.Context, cfg *upstream.Config) (err error) {
		cfg.Loc, err = time.LoadLocation(zone) // reads a file
		return err
	}))
}

// encode escapes the values that upstream unescapes. The others hold nothing
// that would have to be.
func encode(query url.Values) string {
	var b strings.Builder
	for name, values := range query {
		value := values[0]
		if r, known := rules[name]; !known || r.escaped {
			value = url.QueryEscape(value)
		}
		fmt.Fprintf(&b, "&%s=%s", name, value)
	}
	return b.String()
}

// value returns the value of a parameter.
func (p *parsed) value(name string) (string, bool) {
	for _, q := range p.params {
		if q.name == name {
			return q.value, true
		}
	}
	return "", false
}

// isWord tells whether s can be a parameter's name or a host. Only names of
// parameters are ever quoted in an error.
func isWord(s string) bool {
	for _, r := range s {
		if r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return s != ""
}

// clip keeps a word from filling an error.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
