package driver

import "example.com/codec/contract"

var tooLong = contract.Fail(contract.TooLong, "22001", "too long")

func (drv) Size(n int, o contract.Options) struct{ Min, Max int } {
	n = 2*n + len(o.Mark)
	return struct{ Min, Max int }{n, n}
}
