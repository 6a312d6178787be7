// Command host has all the modules linked in, loads the driver file of each as
// well, and compares what they do. Usage: host CACHE FILE...
package main

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
)

type Driver = interface {
	Name() string
	Run(n int, in struct {
		Fold  func(...int) int
		Pairs iter.Seq2[string, struct {
			N int
			W any
		}]
		Table map[string]struct {
			A int `key:"a"`
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
}

func main() {
	l, err := loader.For(contract.MustDefine[Driver]("random", "1.0.0"), loader.Config{CacheDir: os.Args[1]})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var loaded []Driver
	for _, file := range os.Args[2:] {
		d, err := l.LoadFile(context.Background(), file)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		loaded = append(loaded, d.Value)
	}
	seen := map[string]bool{}
	for i := range loaded {
		other := (i + 1) % len(loaded)
		want := transcript(linked[i], linked[other])
		seen[want] = true
		if got := transcript(loaded[i], loaded[other]); got != want {
			fmt.Printf("%s with %s: linked in:\n%s\nloaded:\n%s\n", linked[i].Name(), linked[other].Name(), want, got)
		}
	}
	for i := range loaded { // what is linked in meets what is loaded
		other := (i + len(loaded)/2) % len(loaded)
		want := transcript(linked[i], loaded[other])
		if got := transcript(loaded[i], linked[other]); got != want {
			fmt.Printf("%s linked in, with %s loaded:\n%s\nthe other way round:\n%s\n", linked[i].Name(), linked[other].Name(), want, got)
		}
	}
	fmt.Printf("%d modules, %d transcripts\n", len(loaded), len(seen))
}

// transcript makes two drivers work on each other's values.
func transcript(d, other Driver) string {
	var b strings.Builder
	fmt.Fprintln(&b, d.Name(), other.Name())
	for n := range 4 {
		run(&b, d, other, n)
	}
	for k, v := range d.Seq(9) {
		fmt.Fprintln(&b, "seq", k, v.N, other.Take(v.W), take(v.W))
		if v.N%11 == 10 {
			break
		}
	}
	funcs := d.Funcs()
	for _, name := range slices.Sorted(maps.Keys(funcs)) {
		f := funcs[name]
		fmt.Fprintln(&b, "func", name, f(3), f(f(5)))
	}
	for k := range 12 {
		fmt.Fprintln(&b, "any", k, d.Take(other.Any(k)), other.Take(d.Any(k)), take(d.Any(k)))
		s := d.Shape(k)
		fmt.Fprintln(&b, "shape", s.Area(), s.Scale(k).Area(), other.Take(s))
	}
	return b.String()
}

func run(b *strings.Builder, d, other Driver, n int) {
	type row = struct {
		A int `key:"a"`
		B []string
	}
	out := d.Run(n*7+1, struct {
		Fold  func(...int) int
		Pairs iter.Seq2[string, struct {
			N int
			W any
		}]
		Table map[string]row
	}{
		func(all ...int) int {
			sum := n
			for _, v := range all {
				sum = 3*sum + v
			}
			return sum % 1009
		},
		other.Seq(n + 3),
		map[string]row{"a": {n, []string{"x"}}, "b": {n * n, nil}},
	})
	for _, key := range slices.Sorted(maps.Keys(out)) {
		fmt.Fprintln(b, "run", n, key, out[key].Sum, out[key].Notes)
	}
}

// take is the host's own way to tell values apart.
func take(v any) string {
	switch v := v.(type) {
	case func(int) int:
		return fmt.Sprint("func ", v(4))
	case struct {
		N int
		S string
	}:
		return fmt.Sprint("struct ", v)
	case map[string]struct{ A int }:
		return fmt.Sprint("map ", v)
	case iter.Seq[int]:
		return fmt.Sprint("seq ", slices.Collect(v))
	case interface{ Area() int }:
		return fmt.Sprint("shape ", v.Area())
	case error:
		return "error " + v.Error()
	}
	return fmt.Sprint("other ", v)
}
