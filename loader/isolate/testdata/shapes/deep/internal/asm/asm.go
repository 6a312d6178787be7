// Package asm has assembly that includes a header of another package's
// directory, one of the toolchain, and the one that the compiler writes.
package asm

import (
	"fmt"

	_ "example.com/deep/internal/hdr"
)

const tens = 10 * VERSION

type pair struct {
	before [3]int64
	value  int64
}

func defined() int64
func constant() int64
func field(p *pair) int64

func Answer() string {
	return fmt.Sprint(defined(), constant(), field(&pair{value: 100 * VERSION}))
}
