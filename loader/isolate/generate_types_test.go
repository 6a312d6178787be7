//go:build linux

package isolate_test

import (
	"fmt"
	"strconv"
	"strings"
)

// declareType declares a struct with some fields and its methods Value, Area
// and Scale, of which the first may be promoted from an embedded struct.
func (g *generator) declareType() {
	name := "S" + strconv.Itoa(g.types)
	fields := []string{"n int"}
	set := []string{"n: x"}
	terms := []string{"s.n"}
	embedded := ""
	if g.types > 0 && g.IntN(3) > 0 {
		embedded = g.a()
		if g.IntN(2) == 0 {
			fields, set = append(fields, "*"+embedded), append(set, fmt.Sprintf("%s: make%[1]s(x + 1)", embedded))
		} else {
			fields, set = append(fields, embedded), append(set, fmt.Sprintf("%s: *make%[1]s(x + 2)", embedded))
		}
		terms = append(terms, "s."+embedded+".Value(y)")
	}
	for _, f := range [][3]string{
		{"m map[string]struct{ A int }", fmt.Sprintf("m: map[string]struct{ A int }{\"a\": {%s}}", g.expr(1, "x")), "s.m[\"a\"].A"},
		{"f func(int) int", fmt.Sprintf("f: func(y int) int { return lib.Mod(%s) }", g.expr(1, "x", "y")), "s.f(y)"},
		{"b lib.Box[string]", "b: *new(lib.Box[string]).Put(strconv.Itoa(x))", "len(s.b.Get())"},
		{"p lib.Pair[*int, any]", "p: lib.Zip(&x, any(x+1))", "*s.p.First + s.p.Second.(int)"},
		{"i interface{ Area() int }", "i: square(x)", "s.i.Area()"},
	} {
		if g.IntN(2) == 0 {
			fields, set, terms = append(fields, f[0]), append(set, f[1]), append(terms, f[2])
		}
	}
	if g.types == 0 {
		g.printf("type square int\n\nfunc (q square) Area() int { return lib.Mod(int(q * q)) }\n\n")
	}
	g.printf("type %s struct {\n\t%s\n}\n\n", name, strings.Join(fields, "\n\t"))
	g.printf("func make%s(x int) *%[1]s {\n\tx = lib.Mod(x)\n\treturn &%[1]s{\n\t\t%[2]s,\n\t}\n}\n\n", name, strings.Join(set, ",\n\t\t"))
	if embedded == "" || g.IntN(2) == 0 {
		g.printf("func (s *%s) Value(y int) int { return lib.Mod(%s) }\n\n", name, strings.Join(terms, g.one(" + ", " ^ ", " - ")))
	}
	g.printf("func (s *%s) Area() int { return lib.Mod(%s) }\n\n", name, strings.ReplaceAll(strings.Join(terms, " + "), "(y)", "(s.n)"))
	g.printf("func (s *%s) Scale(n int) interface{ Area() int } {\n\tc := *s\n\tc.n *= n\n\treturn &c\n}\n\n", name)
	g.types++
}

// driver writes the driver itself, with the methods that cross.
func (g *generator) driver(name string) {
	g.printf("type drv struct{}\n\nfunc (drv) Name() string { return %q }\n\n", name)
	g.printf("func NewDriver() interface {\n\tName() string\n%s} {\n\treturn drv{}\n}\n\n", signatures)
	g.run()
	g.seq()
	g.printf("func (drv) Funcs() map[string]func(int) int {\n\tn := calls\n\t_ = n\n\treturn map[string]func(int) int{\n")
	for i := range 2 + g.IntN(4) {
		g.printf("\t\t\"%c%d\": %s,\n", 'a'+g.IntN(26), i, g.function())
	}
	g.printf("\t}\n}\n\n")
	g.any()
	g.take()
	g.printf("func (drv) Shape(k int) interface {\n\tArea() int\n\tScale(int) interface{ Area() int }\n} {\n\tswitch k %% 3 {\n")
	for k := range 2 {
		g.printf("\tcase %d:\n\t\treturn make%s(%s)\n", k, g.a(), g.expr(1, "k"))
	}
	g.printf("\t}\n\treturn make%s(k)\n}\n", g.a())
}

const signatures = `	Run(n int, in struct {
		Fold  func(...int) int
		Pairs iter.Seq2[string, struct {
			N int
			W any
		}]
		Table map[string]struct {
			A int ` + "`key:\"a\"`" + `
			B []string
		}
	}) map[string]struct {
		Sum   int
		Notes []string
	}
	Seq(n int) iter.Seq2[string, struct {
		N int
		W any
	}]
	Funcs() map[string]func(int) int
	Any(k int) any
	Take(v any) string
	Shape(k int) interface {
		Area() int
		Scale(int) interface{ Area() int }
	}
`

// function is an expression of type func(int) int. In its scope n is an int
// that closures share.
func (g *generator) function() string {
	switch g.IntN(4) {
	case 0:
		return fmt.Sprintf("f%d", g.IntN(g.funcs))
	case 1:
		return fmt.Sprintf("make%s(%d).Value", g.a(), g.IntN(50))
	case 2:
		return fmt.Sprintf("func(x int) int { n++; return lib.Mod(n + %s) }", g.expr(2, "x", "n"))
	}
	return fmt.Sprintf("func() func(int) int {\n\t\tc := n + calls\n\t\treturn func(x int) int { c += x; return lib.Mod(c ^ %s) }\n\t}()", g.expr(1, "x"))
}

func (g *generator) run() {
	begin, end := strings.Index(signatures, "Run("), strings.Index(signatures, "\tSeq(")
	g.printf("func (d drv) %s {\n\tcalls++\n\tsum, notes := n+calls, []string{}\n", strings.TrimSpace(signatures[begin:end]))
	g.printf("\tfor k, p := range in.Pairs {\n\t\tsum = lib.Mod(sum*3 + %s)\n\t\tnotes = append(notes, k+d.Take(p.W))\n", g.expr(2, "sum", "p.N", "n"))
	g.printf("\t\tif sum%%%d == 0 {\n\t\t\tbreak\n\t\t}\n\t}\n", 5+g.IntN(20))
	g.printf("\ttotals := lib.Map(in.Table, func(row struct {\n\t\tA int `key:\"a\"`\n\t\tB []string\n\t}) int {\n\t\treturn in.Fold(row.A, len(row.B), %s)\n\t})\n", g.expr(1, "row.A", "sum"))
	g.printf("\treturn map[string]struct {\n\t\tSum   int\n\t\tNotes []string\n\t}{\n\t\t\"sum\": {sum, notes},\n\t\t\"a\":   {totals[\"a\"], nil},\n\t\t\"b\":   {in.Fold(totals[\"b\"], %s), []string{number(n)}},\n\t}\n}\n\n", g.expr(2, "sum", "n"))
}

func (g *generator) seq() {
	begin, end := strings.Index(signatures, "Seq("), strings.Index(signatures, "\tFuncs(")
	g.printf("func (d drv) %s {\n\treturn func(yield func(string, struct {\n\t\tN int\n\t\tW any\n\t}) bool) {\n", strings.TrimSpace(signatures[begin:end]))
	g.printf("\t\tfor i := range n {\n\t\t\tx := lib.Mod(%s)\n\t\t\tif !yield(number(i), struct {\n\t\t\t\tN int\n\t\t\t\tW any\n\t\t\t}{x, d.Any(x + i)}) {\n\t\t\t\treturn\n\t\t\t}\n\t\t}\n\t}\n}\n\n", g.expr(2, "i", "n"))
}

// any writes Any, whose cases stand in random order.
func (g *generator) any() {
	g.printf("func (drv) Any(k int) any {\n\tn := k + %d\n\tswitch k %% 8 {\n", g.IntN(9))
	values := []string{
		"(func(int) int)(" + g.function() + ")",
		fmt.Sprintf("struct {\n\t\t\tN int\n\t\t\tS string\n\t\t}{lib.Mod(%s), number(n)}", g.expr(2, "n")),
		fmt.Sprintf("map[string]struct{ A int }{\"a\": {lib.Mod(%s)}, number(n): {n}}", g.expr(2, "n")),
		fmt.Sprintf("iter.Seq[int](func(yield func(int) bool) { _ = yield(n) && yield(lib.Mod(%s)) })", g.expr(1, "n")),
		fmt.Sprintf("make%s(%s)", g.a(), g.expr(1, "n")),
		"failure",
		fmt.Sprintf("lib.Mod(%s)", g.expr(2, "n")),
	}
	for i, v := range g.Perm(len(values)) {
		g.printf("\tcase %d:\n\t\treturn %s\n", i, values[v])
	}
	g.printf("\t}\n\treturn nil\n}\n\n")
}

// take writes Take, whose cases exclude each other and stand in random order.
func (g *generator) take() {
	g.printf("func (drv) Take(v any) string {\n\tswitch v := v.(type) {\n")
	cases := []string{
		"case func(int) int:\n\t\treturn \"f\" + number(v(" + strconv.Itoa(g.IntN(50)) + "))\n",
		"case struct {\n\t\tN int\n\t\tS string\n\t}:\n\t\treturn v.S + number(" + g.expr(1, "v.N") + ")\n",
		"case map[string]struct{ A int }:\n\t\treturn \"m\" + number(" + g.expr(1, "len(v)", "v[\"a\"].A") + ")\n",
		"case iter.Seq[int]:\n\t\tsum := 0\n\t\tfor n := range v {\n\t\t\tsum = lib.Mod(n - " + g.expr(1, "sum", "n") + ")\n\t\t\tif sum == 7 {\n\t\t\t\tbreak\n\t\t\t}\n\t\t}\n\t\treturn number(sum)\n",
		"case interface{ Area() int }:\n\t\treturn \"s\" + number(" + g.expr(1, "v.Area()") + ")\n",
		"case error:\n\t\treturn \"e\" + v.Error()\n",
		"case int:\n\t\treturn number(" + g.expr(2, "v") + ")\n",
	}
	for _, i := range g.Perm(len(cases)) {
		g.printf("\t%s", cases[i])
	}
	g.printf("\t}\n\treturn \"?\"\n}\n\n")
}
