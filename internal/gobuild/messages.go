package gobuild

import (
	"bytes"
	"strings"
)

// messages is what the go command says on standard error. With -v it names each
// package that it compiles in a line, between its complaints.
type messages struct {
	packages map[string]bool
	progress func(pkg string) // or nil
	kept     strings.Builder
	line     []byte // the beginning of one
}

// Write takes some more of it.
func (m *messages) Write(p []byte) (int, error) {
	m.line = append(m.line, p...)
	for {
		end := bytes.IndexByte(m.line, '\n')
		if end < 0 {
			return len(p), nil
		}
		line := string(m.line[:end])
		m.line = m.line[end+1:]
		if m.progress != nil && m.packages[line] {
			m.progress(line)
			continue
		}
		m.kept.WriteString(line + "\n")
	}
}

// text returns the complaints.
func (m *messages) text() string { return m.kept.String() + string(m.line) }
