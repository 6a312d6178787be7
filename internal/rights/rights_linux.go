package rights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
)

const auxSecure = 23 // AT_SECURE of getauxval(3)

var errGained = errors.New("one that gains rights by being started (setuid, setgid or file capabilities)")

// Gained returns an error if the kernel says that this process has rights that
// its starter may not have, or says nothing.
func Gained() error {
	if os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid() {
		return errGained
	}
	vector, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		// Of a process that has gained rights, it cannot be read either.
		return fmt.Errorf("one of which it is not known whether it gains rights by being started: %w", err)
	}
	const word = strconv.IntSize / 8
	number := func(b []byte) uint64 {
		if word == 4 {
			return uint64(binary.NativeEndian.Uint32(b))
		}
		return binary.NativeEndian.Uint64(b)
	}
	for r := bytes.NewBuffer(vector); r.Len() >= 2*word; {
		key, value := number(r.Next(word)), number(r.Next(word))
		if key != auxSecure {
			continue
		}
		if value == 0 {
			return nil
		}
		return errGained
	}
	return errors.New("one of which it is not known whether it gains rights by being started")
}
