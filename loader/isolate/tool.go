package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Tool runs a tool of the go command, with its arguments rewritten, and ends
// the process, if this process was started to do so; otherwise it returns at
// once. A program that builds calls it first in main, and a test in TestMain.
func Tool() {
	if len(os.Args) < 3 || os.Args[1] != toolArg {
		return
	}
	code, err := runTool(os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "keyway isolate:", err)
	}
	os.Exit(code)
}

func runTool(tool string, args []string) (int, error) {
	temp, err := os.MkdirTemp("", "keyway-tool-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(temp)
	c := &call{args: args, temp: temp}
	if err := c.rewrite(strings.TrimSuffix(filepath.Base(tool), ".exe")); err != nil {
		return 1, err
	}
	cmd := exec.Command(tool, c.args...)
	// Messages name the files that the user knows.
	named := strings.NewReplacer(c.replaced...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &out, &errs
	err = cmd.Run()
	_, _ = named.WriteString(os.Stdout, out.String())
	_, _ = named.WriteString(os.Stderr, errs.String())
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1), nil
	case err != nil:
		return 1, err
	case c.after != nil:
		if err := c.after(); err != nil {
			return 1, err
		}
	}
	return 0, nil
}

// call is one call of a tool.
type call struct {
	*isolated
	args     []string
	temp     string       // for files that the tool is to read instead of others
	replaced []string     // pairs of such a file and the original
	included int          // files that the assembler is to include instead of others
	after    func() error // what is to be done when the tool has succeeded, or nil
}

// rewrite changes the arguments.
func (c *call) rewrite(tool string) error {
	if len(c.args) > 0 && strings.HasPrefix(c.args[0], "-V") {
		return nil // the go command asks for the tool's version
	}
	plan, err := readPlan(os.Getenv(planVar))
	if err != nil {
		return fmt.Errorf("the plan of the build: %w", err)
	}
	c.isolated = plan
	switch tool {
	case "compile":
		return c.compile()
	case "asm":
		return c.asm()
	case "cgo":
		return c.rename("-importpath")
	case "link":
		return c.link()
	}
	return nil
}

// flag returns the value of a flag of the form "-name value", and where it
// stands, or -1.
func (c *call) flag(name string) (string, int) {
	for i := 0; i+1 < len(c.args); i++ {
		if c.args[i] == name {
			return c.args[i+1], i + 1
		}
	}
	return "", -1
}

// rename gives the package in a flag its own path.
func (c *call) rename(flag string) error {
	if pkg, at := c.flag(flag); at >= 0 {
		c.args[at] = c.path(pkg)
	}
	return nil
}

func (c *call) compile() error {
	pkg, _ := c.flag("-p")
	marked := ""
	kept := c.args[:0:0]
	for _, arg := range c.args {
		if strings.HasPrefix(arg, marker) {
			marked = arg
			continue
		}
		kept = append(kept, arg)
	}
	c.args = kept
	wanted := ""
	if c.has(pkg) {
		wanted = c.marker(c.packages[pkg])
	}
	if marked != wanted {
		// What is compiled now would be kept under the key of another build, or
		// of an ordinary one.
		return fmt.Errorf("package %s: marked %q, to be marked %q", pkg, marked, wanted)
	}
	if err := c.rename("-p"); err != nil {
		return err
	}
	if c.has(pkg) {
		c.nameDir(pkg)
		if err := errors.Join(c.sources(c.packages[pkg]), c.embeds()); err != nil {
			return err
		}
	}
	return c.importcfg(true)
}

func (c *call) link() error {
	if err := c.rename("-pluginpath"); err != nil {
		return err
	}
	c.buildID()
	// To compress what is for debuggers takes a third of the time that linking
	// takes, and saves a quarter of the file.
	c.args = append([]string{"-compressdwarf=false"}, c.args...)
	if err := c.hideC(); err != nil {
		return fmt.Errorf("hiding C symbols: %w", err)
	}
	return c.importcfg(false)
}

// importcfg rewrites the import configuration: what sources import under the
// old path is found under the new one. The linker reads new paths everywhere
// and wants no map.
func (c *call) importcfg(withMap bool) error {
	file, at := c.flag("-importcfg")
	if at < 0 {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		from, to, ok := strings.Cut(rest, "=")
		switch {
		case verb == "packagefile" && ok && c.has(from):
			if withMap {
				fmt.Fprintf(&out, "importmap %s=%s\n", from, c.path(from))
			}
			fmt.Fprintf(&out, "packagefile %s=%s\n", c.path(from), to)
		case verb == "importmap" && ok && c.has(to):
			fmt.Fprintf(&out, "importmap %s=%s\n", from, c.path(to))
		case verb == "modinfo":
			fmt.Fprintf(&out, "modinfo %s\n", c.modinfo(rest))
		default:
			out.WriteString(line)
		}
	}
	c.args[at] = filepath.Join(c.temp, "importcfg")
	return os.WriteFile(c.args[at], []byte(out.String()), 0o600)
}

// modinfo corrects the build information, a quoted text: for -gcflags it has the
// last one that the go command was given, which is a marker.
func (c *call) modinfo(quoted string) string {
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return quoted
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "build\t-gcflags=") {
			if line = ""; c.Gcflags != "" {
				line = "build\t-gcflags=" + quoteSetting(c.Gcflags) + "\n"
			}
		}
		out.WriteString(line)
	}
	return strconv.Quote(out.String())
}

// quoteSetting quotes a value as runtime/debug.BuildInfo.String does.
func quoteSetting(value string) string {
	if strings.ContainsAny(value, " \t\r\n\"`") {
		return strconv.Quote(value)
	}
	return value
}
