package mysql

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

// greetingOf is a greeting as MariaDB sends it, or MySQL.
func greetingOf(version string, capabilities, own byte) []byte {
	payload := append([]byte{10}, version...)
	payload = append(payload, 0, 1, 2, 3, 4)                  // NUL, connection id
	payload = append(payload, "scramble\x00"...)              // and filler
	payload = append(payload, capabilities, 0xf7, 8)          // character set
	payload = append(payload, 2, 0, 0xff, 0x81, 21)           // status, capabilities, length
	payload = append(payload, 0, 0, 0, 0, 0, 0, own, 0, 0, 0) // reserved, MariaDB's capabilities
	payload = append(payload, "more scramble\x00mysql_native_password\x00"...)
	return append([]byte{byte(len(payload)), 0, 0, 0}, payload...)
}

func TestRefuseCache(t *testing.T) {
	for name, tt := range map[string]struct{ in, want []byte }{
		"MariaDB":           {greetingOf("5.5.5-10.11.19-MariaDB", 0xfe, 0x1d), greetingOf("5.5.5-10.11.19-MariaDB", 0xfe, 0x0d)},
		"MariaDB, other":    {greetingOf("11", 0xfe, 0x0d), greetingOf("11", 0xfe, 0x0d)},
		"MySQL":             {greetingOf("8.4.0", 0xff, 0x1d), greetingOf("8.4.0", 0xff, 0x1d)},
		"an error":          {[]byte("\x17\x00\x00\x00\xff\x10\x04Too many connections"), []byte("\x17\x00\x00\x00\xff\x10\x04Too many connections")},
		"too short":         {[]byte("\x05\x00\x00\x00\x0a8.4\x00"), []byte("\x05\x00\x00\x00\x0a8.4\x00")},
		"without a version": {[]byte("\x03\x00\x00\x00\x0a84"), []byte("\x03\x00\x00\x00\x0a84")},
		"one long word":     {append([]byte("\x40\x00\x00\x00\x0a"), bytes.Repeat([]byte{0xfe}, 63)...), append([]byte("\x40\x00\x00\x00\x0a"), bytes.Repeat([]byte{0xfe}, 63)...)},
		"empty":             {[]byte("\x00\x00\x00\x00"), []byte("\x00\x00\x00\x00")},
	} {
		got, err := readGreeting(iotest.OneByteReader(bytes.NewReader(append(tt.in, "next"...))))
		if err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

// TestGreetedReads reads in pieces of several sizes what comes in pieces.
func TestGreetedReads(t *testing.T) {
	sent := append(greetingOf("10.6", 0xfe, 0x10), "and what follows"...)
	want := append(greetingOf("10.6", 0xfe, 0), "and what follows"...)
	for _, size := range []int{1, 4, 7, 4096} {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for _, b := range sent {
				server.Write([]byte{b})
			}
		}()
		var got []byte
		b := make([]byte, size)
		c := &greeted{Conn: client}
		for {
			n, err := c.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				break
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("in pieces of %d: %q, want %q", size, got, want)
		}
		client.Close()
	}
}

func FuzzRefuseCache(f *testing.F) {
	f.Add(greetingOf("5.5.5-10.11.19-MariaDB", 0xfe, 0x1d)[4:])
	f.Add(greetingOf("8.4.0", 0xff, 0x1d)[4:])
	f.Fuzz(func(t *testing.T, payload []byte) {
		changed := bytes.Clone(payload)
		refuseCache(changed)
		differ := 0
		for i := range payload {
			if payload[i] != changed[i] {
				differ++
			}
		}
		if len(changed) != len(payload) || differ > 1 {
			t.Errorf("%q became %q", payload, changed)
		}
	})
}
