package inspect

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime/debug"
)

// Limits of the build information; a program with 200 modules has 20 KB of it.
const (
	maxGoVersion = 256
	maxModInfo   = 1 << 20
)

const (
	infoMagic   = "\xff Go buildinf:"
	infoHeader  = 32 // magic, word size, flags, then room for two pointers
	infoInline  = 2  // flag: the strings follow the header, as since Go 1.18
	modSentinel = 16 // random bytes before and after the module text
)

// readBuildInfo fills in what the go command recorded, and returns the import
// path of the package that was built. ok is false if the file has none.
//
// The section is read here, not by debug/buildinfo, which parses the file once
// more and takes any length that the file names.
func (img *image) readBuildInfo(f *Facts) (path string, ok bool, err error) {
	sec := img.sectionNamed(".go.buildinfo")
	if sec == nil {
		return "", false, nil
	}
	if limit := uint64(infoHeader + 2*binary.MaxVarintLen64 + maxGoVersion + maxModInfo); sec.size > limit {
		return "", false, corrupt(fmt.Sprintf("build information of at most %d bytes", limit), fmt.Sprintf("%d", sec.size))
	}
	raw, err := img.read("the build information", sec.off, sec.size)
	if err != nil {
		return "", false, err
	}
	if len(raw) < infoHeader || !bytes.HasPrefix(raw, []byte(infoMagic)) {
		return "", false, corrupt("build information with its mark", fmt.Sprintf("%d bytes: % x", len(raw), raw[:min(len(raw), 16)]))
	}
	if raw[15]&infoInline == 0 {
		return "", false, &FormatError{Kind: TooOld, Wanted: "a binary of Go 1.18 or newer",
			Found: "build information as Go 1.17 and older wrote it", Remedy: "build it with the host's Go version"}
	}
	version, rest, ok1 := infoString(raw[infoHeader:], maxGoVersion)
	mod, _, ok2 := infoString(rest, maxModInfo)
	if !ok1 || !ok2 || version == "" {
		return "", false, corrupt("a Go version and a list of modules", "build information that ends early")
	}
	f.GoVersion = version
	if len(mod) < 2*modSentinel {
		return "", true, nil // built without the go command: no settings, no modules
	}
	path, err = f.setModules(mod[modSentinel : len(mod)-modSentinel])
	return path, true, err
}

// infoString takes a text behind its length off b.
func infoString(b []byte, limit uint64) (text string, rest []byte, ok bool) {
	n, width := binary.Uvarint(b)
	if width <= 0 || n > limit || n > uint64(len(b)-width) {
		return "", nil, false
	}
	b = b[width:]
	return string(b[:n]), b[n:], true
}

// setModules takes settings and modules from the text and returns the path.
func (f *Facts) setModules(text string) (string, error) {
	info, err := debug.ParseBuildInfo(text)
	if err != nil {
		return "", corrupt("readable build information", err.Error())
	}
	if info.Main.Path != "" {
		f.Modules = append(f.Modules, moduleOf(&info.Main))
	}
	for _, dep := range info.Deps {
		f.Modules = append(f.Modules, moduleOf(dep))
	}
	for _, s := range info.Settings {
		f.Settings[s.Key] = s.Value
	}
	return info.Path, nil
}

func moduleOf(m *debug.Module) Module {
	out := Module{Path: m.Path, Version: m.Version, Sum: m.Sum}
	if m.Replace != nil {
		// A replacement has none of its own.
		out.Replace = &Module{Path: m.Replace.Path, Version: m.Replace.Version, Sum: m.Replace.Sum}
	}
	return out
}
