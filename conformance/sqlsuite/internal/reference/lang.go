package reference

import "database/sql/driver"

// The language. A text has any number of statements, with ";" between them,
// and comments from "--" to the end of the line.
//
//	create T (COLUMN TYPE [key] [notnull] [references] [default VALUE], ...)
//	drop T
//	add T (COLUMN TYPE)
//	insert T (COLUMN = VALUE, ...) [returning (COLUMN, ...)]
//	update T (COLUMN = VALUE, ...) [where COLUMN = VALUE]
//	delete T [where COLUMN = VALUE]
//	select T (COLUMN, ... or *) [where COLUMN = VALUE]
//	count T
//	max T (COLUMN)
//	row (NAME [TYPE] = VALUE, ...) ... [limit N]     a row for each (...)
//	series N [then fail | then wait]                 rows n, s, x
//	slowly STATEMENT                                 after some minutes
//	fail
//	begin, commit, rollback
//	set NAME = VALUE, get NAME                       session variables
//	kill ID, die                                     connections
//
// A VALUE is an integer, 'text', null, $1 or :name; a TYPE one of the kinds,
// some with sizes, such as text(20); a NAME a word or "any text".
type statement struct {
	verb      string
	table     string
	columns   []column    // create, add
	set       []binding   // insert, update, set
	rows      [][]binding // row
	names     []string    // select, max, returning
	returning bool
	where     *binding
	count     int64 // series, kill, limit; -1 for no limit
	then      string
	slow      bool
}

// binding gives a name a value.
type binding struct {
	name string
	kind kind // of row; "" for that of the value
	operand
}

// operand is a constant, or the parameter with a number or a name.
type operand struct {
	constant driver.Value
	param    int
	name     string
}

// script is a parsed text.
type script struct {
	statements []statement
	params     int // how many numbered parameters there are
	names      []string
}

// inputs is what NumInput returns.
func (s *script) inputs() int { return s.params + len(s.names) }

// is tells whether the first statement has this verb, and is slow or not.
func (s *script) is(verb string, slow bool) bool {
	return len(s.statements) > 0 && s.statements[0].verb == verb && s.statements[0].slow == slow
}

// grammar reads what follows the verb and its table.
var grammar = map[string]func(p *parser, s *statement){
	"create": func(p *parser, s *statement) { p.list(func() { s.columns = append(s.columns, p.column()) }) },
	"add":    func(p *parser, s *statement) { p.list(func() { s.columns = append(s.columns, p.column()) }) },
	"drop":   func(*parser, *statement) {},
	"count":  func(*parser, *statement) {},
	"insert": func(p *parser, s *statement) {
		s.set = p.bindings()
		if s.returning = p.take("returning"); s.returning {
			p.list(func() { s.names = append(s.names, p.name()) })
		}
	},
	"update": func(p *parser, s *statement) { s.set = p.bindings(); p.filter(s) },
	"delete": func(p *parser, s *statement) { p.filter(s) },
	"select": func(p *parser, s *statement) {
		p.list(func() {
			if !p.take("*") {
				s.names = append(s.names, p.name())
			}
		})
		p.filter(s)
	},
	"max": func(p *parser, s *statement) { p.list(func() { s.names = append(s.names, p.name()) }) },
	"row": func(p *parser, s *statement) {
		for len(p.rest) > 0 && p.rest[0] == "(" {
			s.rows = append(s.rows, p.bindings())
		}
		if s.count = -1; p.take("limit") {
			s.count = p.number()
		}
	},
	"series": func(p *parser, s *statement) {
		s.count = p.number()
		if p.take("then") {
			s.then = p.name()
		}
	},
	"set":      func(p *parser, s *statement) { s.set = []binding{p.binding()} },
	"get":      func(p *parser, s *statement) { s.names = []string{p.name()} },
	"kill":     func(p *parser, s *statement) { s.count = p.number() },
	"fail":     func(*parser, *statement) {},
	"begin":    func(*parser, *statement) {},
	"commit":   func(*parser, *statement) {},
	"rollback": func(*parser, *statement) {},
	"die":      func(*parser, *statement) {},
}

// onTable are the verbs that a table's name follows.
var onTable = []string{"create", "add", "drop", "count", "insert", "update", "delete", "select", "max"}
