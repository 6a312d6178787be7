// Command host loads the driver files that it is given, uses them, and prints
// what happened.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	codec "example.com/codec/contract"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
)

func main() {
	l, err := loader.For(codec.Codec, loader.Config{CacheDir: os.Args[1]})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, file := range os.Args[2:] {
		d, err := l.LoadFile(context.Background(), file)
		var le *loader.LoadError
		if errors.As(err, &le) {
			fmt.Printf("%s refused by %s: wanted %s, found %s; remedy: %s\n", le.Driver, le.Stage, le.Wanted, le.Found, le.Remedy)
			for _, m := range le.Misfits {
				fmt.Printf("misfit %s %s: %s; remedy: %s\n", m.Kind, m.Subject, m.Cause, m.Remedy)
			}
			continue
		}
		fmt.Printf("%s %s for %s in %s\n", d.Value.Name(), d.Manifest.Version, d.Manifest.Contract.Version, codec.Codec.Version())
		use(d.Value)
	}
}

func use(d codec.Driver) {
	text, err := d.Encode([]byte("keyway"), codec.Options{Upper: true, Mark: "x:"})
	fmt.Println("encode", text, err)
	if dec, ok := d.(codec.Decoder); ok {
		var back []byte
		for i, v := range dec.Decode(text[2:]) {
			back = append(back, v.B)
			if i == 2 {
				break
			}
		}
		fmt.Printf("decode %s\n", back)
	}
	for _, n := range []int{0, 17} {
		_, err = d.Encode(make([]byte, n), codec.Options{})
		fmt.Printf("%v: code %s, is empty %t, database code %s\n", err, codec.CodeOf(err).Code(), errors.Is(err, codec.Empty), contract.CodeOf(nil, err).Code())
	}
	for _, o := range codec.Codec.Optional() {
		fmt.Println("knows", o.Name)
	}
	news(d)
}
