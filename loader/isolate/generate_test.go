//go:build linux

package isolate_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// generator writes a driver whose methods compute numbers and texts in ways
// put together at random. Only what it leaves to chance differs between two
// seeds; everything that it writes compiles, ends, and gives the same answers
// when it is asked the same in the same order.
type generator struct {
	*rand.Rand
	out   strings.Builder
	types int // S0 and so on, which are declared
	funcs int // f0 and so on
}

// randomDriver returns the source of package name of a module.
func randomDriver(name, module string, seed uint64) string {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	g.printf("// Package %s was generated with the seed %d.\npackage %s\n\nimport (\n\t\"errors\"\n\t\"iter\"\n\t\"strconv\"\n\n\t%q\n)\n\n", name, seed, name, module+"/lib")
	g.printf("var DriverManifest = `{\"name\": %q, \"version\": \"1.0.0\", \"contract\": {\"name\": \"random\", \"version\": \"^1\"}}`\n\n", name)
	g.printf("var calls = lib.Salt\n\n")
	for range 3 + g.IntN(4) {
		g.declareFunc()
		g.declareType()
	}
	// Variables that need each other in another order than they stand in.
	g.printf("var late = early + %s\n\nvar early = f%d(%d)\n\nfunc init() { calls += late %% 5 }\n\n", g.expr(1, "early"), g.IntN(g.funcs), g.IntN(100))
	g.printf("func number(n int) string { return strconv.Itoa(n) }\n\nvar failure = errors.New(number(%d))\n\n", g.IntN(1000))
	g.driver(name)
	return g.out.String()
}

func (g *generator) printf(format string, args ...any) { fmt.Fprintf(&g.out, format, args...) }

// one chooses among texts.
func (g *generator) one(texts ...string) string { return texts[g.IntN(len(texts))] }

// a chooses a declared type.
func (g *generator) a() string { return "S" + strconv.Itoa(g.IntN(g.types)) }

func (g *generator) declareFunc() {
	g.printf("func f%d(x int) int {\n", g.funcs)
	vars := []string{"x"}
	for i := range 1 + g.IntN(4) {
		v := "v" + strconv.Itoa(i)
		g.statement(v, vars)
		vars = append(vars, v)
	}
	g.printf("\treturn lib.Mod(%s + %s)\n}\n\n", strings.Join(vars, " + "), g.expr(2, vars...))
	g.funcs++
}

// statement declares the variable v.
func (g *generator) statement(v string, vars []string) {
	e := func() string { return g.expr(1, vars...) }
	write := func(format string, args ...any) { g.printf(strings.ReplaceAll(format, "$", v), args...) }
	switch g.IntN(6) {
	case 0: // closures over a loop's variable
		write("\tvar fs$ []func() int\n\tfor i := range %d {\n\t\tfs$ = append(fs$, func() int { i += 2; return i * %s })\n\t}\n", 1+g.IntN(5), e())
		write("\t$ := lib.Fold(fs$, %s, func(a int, f func() int) int { return lib.Mod(a + f() + f()) })\n", e())
	case 1: // a map of structs
		write("\tm$ := map[string]struct {\n\t\tA int\n\t\tF func(int) int\n\t}{\"a\": {%s, func(y int) int { return y + %s }}, \"b\": {A: %s}}\n", e(), e(), e())
		write("\t$ := m$[\"a\"].F(m$[\"b\"].A) - m$[\"c\"].A\n")
	case 2: // labels, and a switch that falls through
		write("\t$ := 0\nouter$:\n\tfor i := 0; ; i++ {\n\t\tswitch {\n\t\tcase i > %d:\n\t\t\tbreak outer$\n", 2+g.IntN(6))
		write("\t\tcase i%%2 == 0:\n\t\t\t$ += i\n\t\t\tfallthrough\n\t\tdefault:\n\t\t\t$ += lib.Mod(%s)\n\t\t}\n\t}\n", e())
	case 3: // a tree of a generic type, walked by range
		write("\tvar t$ *lib.Tree[int]\n\tfor _, n := range []int{%s, %s, %d, %s} {\n\t\tt$ = t$.Insert(n)\n\t}\n", e(), e(), g.IntN(50), e())
		write("\t$ := 1\n\tfor depth, n := range t$.Walk {\n\t\t$ = lib.Mod($*%d + depth*n)\n\t}\n", 2+g.IntN(5))
	case 4: // deferred closures
		write("\t$ := func() (n int) {\n\t\tdefer func() { n += %s }()\n\t\tdefer func() { n *= 3 }()\n\t\treturn %s\n\t}()\n", e(), e())
	case 5:
		write("\t$ := %s\n", g.expr(2, vars...))
	}
}

// expr returns an expression of type int, of a depth, over variables.
func (g *generator) expr(depth int, vars ...string) string {
	if depth == 0 {
		return g.one(g.one(vars...), g.one(vars...), strconv.Itoa(g.IntN(100)), "lib.Salt")
	}
	e := func() string { return g.expr(depth-1, vars...) }
	inner := func(v string) string { return g.expr(depth-1, append([]string{v}, vars...)...) }
	options := []func() string{
		func() string { return "(" + e() + g.one(" + ", " - ", " * ", " ^ ", " & ", " | ") + e() + ")" },
		func() string { return fmt.Sprintf("lib.Mod(%s)%%%d", e(), 2+g.IntN(30)) },
		func() string { return fmt.Sprintf("lib.Mod(%s)<<%d", e(), g.IntN(4)) },
		func() string {
			return fmt.Sprintf("lib.Fold([]int{%s, %s}, %s, func(a, y int) int { return %s })", e(), e(), e(), inner("y"))
		},
		func() string { return fmt.Sprintf("func(y int) int { return %s }(%s)", inner("y"), e()) },
		func() string { return fmt.Sprintf("new(lib.Box[int]).Put(%s).Put(%s).Get()", e(), e()) },
		func() string { return fmt.Sprintf("lib.Zip(%s, []string{\"a\", \"b\"}).First", e()) },
		func() string {
			return fmt.Sprintf("lib.Map(map[string]int{\"k\": %s}, func(y int) int { return %s })[\"k\"]", e(), inner("y"))
		},
		func() string {
			return fmt.Sprintf("lib.Via(%s, func(y int) int { return %s }, lib.Mod)", e(), inner("y"))
		},
		func() string {
			return fmt.Sprintf("lib.Guard(func() int { %s; return %s })", g.one("panic(\"text\")", fmt.Sprintf("panic(struct{ Code int }{%s})", e()), "calls++", "var m map[string]int; m[\"a\"] = 1"), e())
		},
	}
	if g.funcs > 0 {
		options = append(options, func() string { return fmt.Sprintf("f%d(%s)", g.IntN(g.funcs), e()) })
	}
	if g.types > 0 {
		options = append(options,
			func() string { return fmt.Sprintf("make%s(%s).Value(%s)", g.a(), e(), e()) },
			func() string { t := g.a(); return fmt.Sprintf("(*%s).Value(make%[1]s(%s), %s)", t, e(), e()) },
			func() string { return fmt.Sprintf("lib.Via(%s, make%s(%s).Value)", e(), g.a(), e()) },
			func() string { return fmt.Sprintf("interface{ Area() int }(make%s(%s)).Area()", g.a(), e()) },
		)
	}
	return options[g.IntN(len(options))]()
}
