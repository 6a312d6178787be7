package driver

import "example.com/codec/contract"

// What the author of 1.0 calls an error for which there is no code yet.
var tooLong = contract.Fail("internal", "22001", "too long")
