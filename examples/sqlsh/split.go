package main

import (
	"regexp"
	"strings"
)

// splitter takes statements apart at their semicolons. It knows the quotes and
// comments of standard SQL and the dollar quotes of PostgreSQL, but neither the
// backslashes of MySQL nor any syntax: the semicolons within a trigger's BEGIN
// and END end a statement, too.
type splitter struct {
	text  strings.Builder // of the statement that has begun
	until string          // what ends the quote or comment that is open, or ""
	any   bool            // whether text holds more than space and comments
}

var dollarTag = regexp.MustCompile(`^\$([A-Za-z_][A-Za-z0-9_]*)?\$`)

// feed takes text in, and returns the statements that it completes, without
// their semicolons. A line must be fed with its end.
func (s *splitter) feed(text string) []string {
	var done []string
	for text != "" {
		if s.until != "" {
			before, after, found := strings.Cut(text, s.until)
			s.text.WriteString(before)
			if found {
				s.text.WriteString(s.until)
				s.until = ""
			}
			text = after
			continue
		}
		if text[0] == ';' {
			if statement := s.take(); statement != "" {
				done = append(done, statement)
			}
			text = text[1:]
			continue
		}
		open := s.opens(text)
		s.text.WriteString(text[:len(open)])
		text = text[len(open):]
	}
	return done
}

// opens returns the first character of a text, or the whole mark if a quote or a
// comment begins there.
func (s *splitter) opens(text string) string {
	switch {
	case strings.HasPrefix(text, "--"):
		s.until = "\n"
		return "--"
	case strings.HasPrefix(text, "/*"):
		s.until = "*/"
		return "/*"
	}
	s.any = s.any || !strings.ContainsRune(" \t\r\n", rune(text[0]))
	switch text[0] {
	case '\'', '"', '`':
		s.until = text[:1]
	case '$':
		if tag := dollarTag.FindString(text); tag != "" && !s.inName() {
			s.until = tag
			return tag
		}
	}
	return text[:1]
}

// inName tells whether what came last may be part of a name.
func (s *splitter) inName() bool {
	text := s.text.String()
	if text == "" {
		return false
	}
	c := text[len(text)-1]
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// take returns the statement that has begun, or "" if there is none, and forgets
// it.
func (s *splitter) take() string {
	statement := ""
	if s.any {
		statement = strings.TrimSpace(s.text.String())
	}
	*s = splitter{}
	return statement
}

// begun tells whether something waits for its semicolon.
func (s *splitter) begun() bool { return s.any || s.until != "" }

// changesOnly tells whether a statement has a number of changed rows rather than
// rows, as far as can be seen. A driver that is asked for rows has no such number.
func changesOnly(statement string) bool {
	words := strings.Fields(strings.ToLower(statement))
	if len(words) == 0 || strings.Contains(strings.ToLower(statement), "returning") {
		return false
	}
	switch words[0] {
	case "insert", "update", "delete", "replace":
		return true
	}
	return false
}
