package postgres

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// setting is one of a DSN. With its key it begins at start, and its raw value is
// dsn[from:to]; to is 0 for the hosts and ports of a URL, which are several
// places and no secret.
type setting struct {
	key, value      string // the value is unescaped
	start, from, to int
}

// parseDSN reads a DSN and finds the first fault. Upstream's own parser reads
// files, so it has to wait for Connect; what is accepted here, it accepts.
//
// An error quotes no value, since it may be a secret, and no key that is not
// known, since it may be the rest of one.
func parseDSN(dsn string) ([]setting, error) {
	settings, err := scan(dsn)
	if err == nil {
		err = check(settings)
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: wrong DSN: %w", err)
	}
	return settings, nil
}

func scan(dsn string) ([]setting, error) {
	if strings.ContainsRune(dsn, 0) {
		return nil, errors.New("it contains a NUL byte")
	}
	for _, scheme := range []string{"postgres://", "postgresql://"} {
		if strings.HasPrefix(dsn, scheme) {
			s := urlScanner{dsn: dsn, at: len(scheme)}
			return s.scan()
		}
		if len(dsn) >= len(scheme) && strings.EqualFold(dsn[:len(scheme)], scheme) {
			return nil, fmt.Errorf("the scheme is known in lower case only; write %q", scheme)
		}
	}
	return scanPairs(dsn)
}

// urlScanner reads a URL from left to right. PostgreSQL's URLs may have several
// hosts, so net/url is no help.
type urlScanner struct {
	dsn      string
	at       int
	settings []setting
}

func (s *urlScanner) scan() ([]setting, error) {
	if err := s.user(); err != nil {
		return nil, err
	}
	// PostgreSQL would take what follows for a host, a database and so on, and
	// name them in errors. But it is most likely the rest of a password.
	if strings.Contains(s.dsn[s.at:], "@") {
		return nil, errors.New(`it contains "@" behind the user and the password; write %40 for "@", and %2F for "/" in a password`)
	}
	if err := s.hosts(); err != nil {
		return nil, err
	}
	if s.next("/") {
		if err := s.add("dbname", s.at, "?"); err != nil {
			return nil, err
		}
	}
	if s.next("?") {
		return s.settings, s.query()
	}
	return s.settings, nil
}

// user reads "user:password@", if it is there.
func (s *urlScanner) user() error {
	end := strings.IndexAny(s.dsn[s.at:], "@/")
	if end < 0 || s.dsn[s.at+end] != '@' {
		return nil
	}
	err := s.add("user", s.at, ":@")
	if err == nil && s.next(":") {
		err = s.add("password", s.at, "@")
	}
	s.next("@")
	return err
}

// hosts reads "host:port,host:port". An escaped comma would separate, too.
func (s *urlScanner) hosts() error {
	var hosts, ports []string
	for {
		host, err := s.host()
		if err != nil {
			return err
		}
		port := ""
		if s.next(":") {
			if port, err = s.word("/?,"); err != nil {
				return err
			}
		}
		hosts, ports = append(hosts, host), append(ports, port)
		if !s.next(",") {
			break
		}
	}
	if host := strings.Join(hosts, ","); host != "" {
		s.settings = append(s.settings, setting{key: "host", value: host})
	}
	if port := strings.Join(ports, ","); strings.Trim(port, ",") != "" {
		s.settings = append(s.settings, setting{key: "port", value: port})
	}
	return nil
}

func (s *urlScanner) host() (string, error) {
	if !s.next("[") {
		return s.word(":/?,")
	}
	host, err := s.word("]")
	switch {
	case err != nil:
		return "", err
	case host == "" || !s.next("]"):
		return "", errors.New(`an IPv6 address is to stand between "[" and "]"`)
	case s.at < len(s.dsn) && !strings.ContainsRune(":/?,", rune(s.dsn[s.at])):
		return "", errors.New(`behind "]" is to follow ":", ",", "/", "?" or the end`)
	}
	return host, nil
}

// query reads "key=value&key=value".
func (s *urlScanner) query() error {
	for s.at < len(s.dsn) {
		end := strings.IndexByte(s.dsn[s.at:], '&')
		if end < 0 {
			end = len(s.dsn) - s.at
		}
		if strings.Count(s.dsn[s.at:s.at+end], "=") != 1 {
			return errors.New(`a parameter is not of the form key=value; write %3D for "=" and %26 for "&" in a value`)
		}
		start := s.at
		key, err := s.word("=")
		if err != nil {
			return err
		}
		s.next("=")
		if err := s.add(key, start, "&"); err != nil {
			return err
		}
		s.next("&")
	}
	return nil
}

// add reads the value of a key, which began at start, up to one of the bytes in
// ends. A part that is empty leaves its setting open.
func (s *urlScanner) add(key string, start int, ends string) error {
	from := s.at
	value, err := s.word(ends)
	if value != "" || start != from {
		s.settings = append(s.settings, setting{key, value, start, from, s.at})
	}
	return err
}

// next steps over a byte, if it is there.
func (s *urlScanner) next(what string) bool {
	found := strings.HasPrefix(s.dsn[s.at:], what)
	if found {
		s.at += len(what)
	}
	return found
}

// word unescapes what stands before one of the bytes in ends.
func (s *urlScanner) word(ends string) (string, error) {
	length := strings.IndexAny(s.dsn[s.at:], ends)
	if length < 0 {
		length = len(s.dsn) - s.at
	}
	raw := s.dsn[s.at : s.at+length]
	s.at += length
	return unescape(raw)
}

// unescape differs from net/url's functions in what it makes of "+" and of
// white space.
func unescape(raw string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch {
		case strings.IndexByte(white, raw[i]) >= 0:
			return "", errors.New("it contains white space; write %20")
		case raw[i] != '%':
			b.WriteByte(raw[i])
			continue
		}
		c, err := hex.DecodeString(raw[i+1 : min(i+3, len(raw))])
		if err != nil || len(c) != 1 || c[0] == 0 {
			return "", errors.New(`it has a malformed percent escape; write %25 for "%"`)
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), nil
}

const white = " \t\n\r\v\f"

// scanPairs reads "key = value key='value with \' in it'".
func scanPairs(dsn string) ([]setting, error) {
	var settings []setting
	rest := strings.TrimLeft(dsn, white)
	for rest != "" {
		key, after, found := strings.Cut(rest, "=")
		key = strings.TrimRight(key, white)
		if !found || key == "" || strings.ContainsAny(key, white) {
			return nil, errors.New(`it is neither a URL nor key=value pairs; put quotes (') around a value with spaces`)
		}
		after = strings.TrimLeft(after, white)
		value, length, err := pairValue(after)
		if err != nil {
			return nil, err
		}
		if key == "ssl" {
			return nil, errors.New(`"ssl" is for URLs; write sslmode=require`)
		}
		from := len(dsn) - len(after)
		settings = append(settings, setting{key, value, len(dsn) - len(rest), from, from + length})
		rest = strings.TrimLeft(after[length:], white)
	}
	return settings, nil
}

// pairValue reads a value, quoted or not, in which a backslash stands before a
// character that is meant literally.
func pairValue(text string) (value string, length int, err error) {
	quoted := strings.HasPrefix(text, "'")
	i := 0
	if quoted {
		i = 1
	}
	var b strings.Builder
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\'':
			if i+1 < len(text) && strings.IndexByte(white, text[i+1]) < 0 {
				return "", 0, errors.New(`a space is to follow a closing quote ('); write \' for a quote in a value`)
			}
			return b.String(), i + 1, nil
		case !quoted && strings.IndexByte(white, c) >= 0:
			return b.String(), i, nil
		case c == '\\' && i+1 == len(text):
			return "", 0, errors.New("it ends with a backslash")
		case c == '\\':
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", 0, errors.New("a quote (') is not closed")
	}
	return b.String(), i, nil
}
