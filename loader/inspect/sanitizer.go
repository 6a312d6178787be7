package inspect

import (
	"bytes"
	"debug/elf"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Sanitizer is a sanitizer of a C compiler for which code of a file was
// compiled, be it by a flag of the go command or by one of the C compiler.
type Sanitizer struct {
	// Name is what stands after -fsanitize=: "address", "memory", "thread" or
	// "undefined".
	Name string `json:"name"`
	// Runtime is where the sanitizer itself lies: "self" for the file, the name
	// of one of Facts.Needed, or "" for the program that loads the file. gcc
	// takes libraries; clang puts it into programs, and into no plugin.
	Runtime string `json:"runtime"`
}

// selfRuntime is the Runtime of a file that has the sanitizer in it.
const selfRuntime = "self"

// sanitizerKind is how a sanitizer shows, in the order of Facts.Sanitizers.
type sanitizerKind struct {
	name      string
	mark      string   // the symbol that all code compiled for it asks for, or its head
	libraries []string // those of gcc and of clang, without what follows
	flag      string   // of the go command, or else of the C compiler
	alone     bool     // its library does its work in any process
}

var sanitizerKinds = []sanitizerKind{
	{name: "address", mark: "__asan_init\x00", libraries: []string{"libasan.so", "libclang_rt.asan"}, flag: "-asan"},
	{name: "memory", mark: "__msan_init\x00", flag: "-msan"},
	{name: "thread", mark: "__tsan_init\x00", libraries: []string{"libtsan.so", "libclang_rt.tsan"}, flag: "-fsanitize=thread"},
	{name: "undefined", mark: "__ubsan_handle_", libraries: []string{"libubsan.so", "libclang_rt.ubsan", "libclang_rt.asan"}, flag: "-fsanitize=undefined", alone: true},
}

// sanitizers returns the sanitizers for which code of the file was compiled.
func (d *dynamic) sanitizers() ([]Sanitizer, error) {
	const called, defined = 1, 2 // what is neither is 0
	state := make([]int, len(sanitizerKinds))
	err := d.records("the symbols", d.symOff, d.symCount, symSize, func(rec []byte) error {
		name := uint64(d.order.Uint32(rec))
		if rec[4]>>4 != byte(elf.STB_GLOBAL) || name+2 > uint64(len(d.strings)) || d.strings[name] != '_' || d.strings[name+1] != '_' {
			return nil
		}
		for i, k := range sanitizerKinds {
			if bytes.HasPrefix(d.strings[name:], []byte(k.mark)) {
				is := defined
				if d.symbol(rec).section == elf.SHN_UNDEF {
					is = called
				}
				state[i] = max(state[i], is)
			}
		}
		return nil
	})
	found := []Sanitizer{}
	for i, k := range sanitizerKinds {
		switch state[i] {
		case defined:
			found = append(found, Sanitizer{k.name, selfRuntime})
		case called:
			at := slices.IndexFunc(d.needed, func(library string) bool {
				return slices.ContainsFunc(k.libraries, func(l string) bool { return strings.HasPrefix(library, l) })
			})
			s := Sanitizer{Name: k.name}
			if at >= 0 {
				s.Runtime = d.needed[at]
			}
			found = append(found, s)
		}
	}
	return found, err
}

// sanitizers looks for what no fingerprint tells: most sanitizers must come
// with the host program.
func sanitizers(p *pair) []Misfit {
	var out []Misfit
	for _, k := range sanitizerKinds {
		of := func(f *Facts) (s Sanitizer, has bool) {
			if i := slices.IndexFunc(f.Sanitizers, func(s Sanitizer) bool { return s.Name == k.name }); i >= 0 {
				return f.Sanitizers[i], true
			}
			return s, false
		}
		driver, has := of(p.driver)
		host, hostHas := of(p.host)
		if !has || hostHas && host.Runtime == "" || slices.Contains(p.named, k.flag) {
			continue // a host that runs has found what it calls, who knows where
		}
		if cause, remedy := k.clash(driver.Runtime, host.Runtime); cause != "" {
			out = append(out, Misfit{Kind: KindSetting, Subject: k.flag, Host: strconv.FormatBool(hostHas), Driver: "true", Cause: cause, Remedy: remedy})
		}
	}
	return out
}

// clash returns why a plugin that has the sanitizer in one place cannot be in a
// program that has it in another, or not at all (""), and what to do. Both are
// "" if it can.
func (k *sanitizerKind) clash(driver, host string) (cause, remedy string) {
	without := "build the driver without -fsanitize=" + k.name + " in CGO_CFLAGS and CGO_LDFLAGS"
	switch {
	case driver == selfRuntime || driver != "" && k.alone:
		return "", ""
	case host == "" && driver == "":
		return "the driver calls the " + k.name + " sanitizer, which its C compiler puts into programs alone, and the host does not have it", without
	case host == "":
		return "the " + k.name + " sanitizer must be in a process from the start", without
	case driver != "" && driver != host:
		return "the host has the " + k.name + " sanitizer of another C compiler, and a process can have only one", "build host and driver with one C compiler"
	case k.name == "address" && (driver != "") == (host != selfRuntime) && !strings.Contains(os.Getenv("ASAN_OPTIONS"), "detect_odr_violation=0"):
		return "the address sanitizer ends a process in which host and plugin define the same variable, as each does of cgo's",
			"start the host with ASAN_OPTIONS=detect_odr_violation=0"
	}
	return "", ""
}
