package main

import (
	"errors"
	"fmt"

	codec "example.com/codec/contract"
)

func news(d codec.Driver) {
	_, err := d.Encode(make([]byte, 17), codec.Options{})
	fmt.Println("is too long", errors.Is(err, codec.TooLong))
	s, ok := d.(codec.Sizer)
	if !ok {
		fmt.Println("no sizer")
		return
	}
	fmt.Printf("size %+v\n", s.Size(6, codec.Options{Mark: "x:"}))
}
