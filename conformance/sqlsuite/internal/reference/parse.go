package reference

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var token = regexp.MustCompile(`^(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[$:][A-Za-z0-9_]+|-?[0-9]+|[A-Za-z_][A-Za-z0-9_]*|[=;(),*])`)

var blank = regexp.MustCompile(`^(?:\s+|--[^\n]*)+`)

// tokens splits a text.
func tokens(text string) ([]string, error) {
	var out []string
	for {
		text = text[len(blank.FindString(text)):]
		if text == "" {
			return out, nil
		}
		t := token.FindString(text)
		if t == "" {
			return nil, fault("42601", "syntax error at %.20q", text)
		}
		out = append(out, t)
		text = text[len(t):]
	}
}

// parse reads a text.
func parse(text string) (*script, error) {
	all, err := tokens(text)
	if err != nil {
		return nil, err
	}
	s := &script{}
	p := &parser{rest: all, script: s}
	for len(p.rest) > 0 && p.err == nil {
		if p.take(";") {
			continue
		}
		s.statements = append(s.statements, p.statement())
		if len(p.rest) > 0 && p.rest[0] != ";" {
			p.fail()
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	return s, nil
}

// parser consumes tokens. After an error it goes on with empty ones.
type parser struct {
	rest   []string
	script *script
	err    error
}

func (p *parser) fail() {
	if p.err == nil {
		p.err = fault("42601", "syntax error at %.20q", strings.Join(p.rest, " "))
	}
	p.rest = nil
}

// take consumes a token if it is the next.
func (p *parser) take(t string) bool {
	if len(p.rest) == 0 || p.rest[0] != t {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *parser) want(t string) {
	if !p.take(t) {
		p.fail()
	}
}

func (p *parser) next() string {
	if len(p.rest) == 0 {
		p.fail()
		return ""
	}
	t := p.rest[0]
	p.rest = p.rest[1:]
	return t
}

// name reads a word or "any text".
func (p *parser) name() string {
	t := p.next()
	if strings.HasPrefix(t, `"`) {
		return strings.ReplaceAll(t[1:len(t)-1], `""`, `"`)
	}
	if t == "" || !(t[0] == '_' || t[0] >= 'A' && t[0] <= 'Z' || t[0] >= 'a' && t[0] <= 'z') {
		p.fail()
	}
	return t
}

func (p *parser) number() int64 {
	n, err := strconv.ParseInt(p.next(), 10, 64)
	if err != nil {
		p.fail()
	}
	return n
}

// list reads "(" item "," item ... ")".
func (p *parser) list(item func()) {
	p.want("(")
	for p.err == nil {
		item()
		if p.take(")") {
			return
		}
		p.want(",")
	}
}

func (p *parser) operand() operand {
	t := p.next()
	switch {
	case strings.HasPrefix(t, "'"):
		return operand{constant: strings.ReplaceAll(t[1:len(t)-1], "''", "'")}
	case strings.HasPrefix(t, "$"):
		n, err := strconv.Atoi(t[1:])
		if err != nil || n < 1 || n > 1000 {
			p.fail()
		}
		p.script.params = max(p.script.params, n)
		return operand{param: n}
	case strings.HasPrefix(t, ":"):
		if !slices.Contains(p.script.names, t[1:]) {
			p.script.names = append(p.script.names, t[1:])
		}
		return operand{name: t[1:]}
	case t == "null":
		return operand{}
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		p.fail()
	}
	return operand{constant: n}
}

// binding reads NAME [TYPE] = VALUE.
func (p *parser) binding() binding {
	b := binding{name: p.name()}
	if len(p.rest) > 0 && p.rest[0] != "=" {
		b.kind = kind(p.next())
		if _, ok := traits[b.kind]; !ok {
			p.fail()
		}
	}
	p.want("=")
	b.operand = p.operand()
	return b
}

func (p *parser) bindings() (out []binding) {
	p.list(func() { out = append(out, p.binding()) })
	return out
}

// column reads COLUMN TYPE and what may follow.
func (p *parser) column() column {
	c := column{name: p.name(), kind: kind(p.next())}
	if _, ok := traits[c.kind]; !ok {
		p.fail()
	}
	if len(p.rest) > 0 && p.rest[0] == "(" {
		var sizes []int64
		p.list(func() { sizes = append(sizes, p.number()) })
		c.size = append(sizes, 0)[0]
		if len(sizes) > 1 {
			c.scale = sizes[1]
		}
	}
	for {
		switch {
		case p.take("key"):
			c.key = true
		case p.take("notnull"):
			c.notNull = true
		case p.take("references"):
			c.references = true
		case p.take("default"):
			c.fallback = p.operand().constant
		default:
			return c
		}
	}
}

func (p *parser) statement() statement {
	s := statement{slow: p.take("slowly"), verb: p.next()}
	rest, ok := grammar[s.verb]
	if !ok {
		p.fail()
		return s
	}
	if slices.Contains(onTable, s.verb) {
		s.table = p.name()
	}
	rest(p, &s)
	return s
}

func (p *parser) filter(s *statement) {
	if p.take("where") {
		b := p.binding()
		s.where = &b
	}
}
