package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSplitter(t *testing.T) {
	for text, want := range map[string][]string{
		"":                     nil,
		";;":                   nil,
		"-- a; b\n":            nil,
		"/* a; b */ ;":         nil,
		"a;b":                  {"a", "b"},
		"a; b;\n":              {"a", "b"},
		"a\nb;":                {"a\nb"},
		"'a;''b;' ; c":         {"'a;''b;'", "c"},
		"\"a;b\" `c;d`;e":      {"\"a;b\" `c;d`", "e"},
		"a -- b; c\n d;":       {"a -- b; c\n d"},
		"a /* b; c */ d; -- e": {"a /* b; c */ d"},
		"'-- a;';b":            {"'-- a;'", "b"},
		"$$a;b$$;c":            {"$$a;b$$", "c"},
		"$x$a;$$;b$x$;c":       {"$x$a;$$;b$x$", "c"},
		"a$b$;c$b$;d":          {"a$b$", "c$b$", "d"},
		"$1;$2":                {"$1", "$2"},
		"'open; ":              {"'open;"},
		"ä;ö":                  {"ä", "ö"},
	} {
		var s splitter
		got := s.feed(text)
		if rest := s.take(); rest != "" {
			got = append(got, rest)
		}
		assert.Equal(t, want, got, "%q", text)
		assert.False(t, s.begun(), "%q", text)
	}
}

// A quote or comment goes on in the next line.
func TestSplitterOverLines(t *testing.T) {
	var s splitter
	assert.Empty(t, s.feed("select 'a;\n"))
	assert.True(t, s.begun())
	assert.Empty(t, s.feed("b' /* ;\n"))
	assert.Equal(t, []string{"select 'a;\nb' /* ;\n*/"}, s.feed("*/;\n"))
	assert.False(t, s.begun())
	assert.Empty(t, s.feed("-- only this\n"))
	assert.False(t, s.begun())
}

func TestChangesOnly(t *testing.T) {
	for statement, want := range map[string]bool{
		"insert into t values (1)":              true,
		"\n Update t set n = 1":                 true,
		"delete from t Returning n":             false,
		"select 1":                              false,
		"with x as (select 1) select * from x ": false,
		"":                                      false,
	} {
		assert.Equal(t, want, changesOnly(statement), statement)
	}
}
