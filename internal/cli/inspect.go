package cli

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/keyway-go/keyway/conformance/report"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
	"github.com/keyway-go/keyway/loader/inspect"
)

// inspection is what inspect --json prints.
type inspection struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	*inspect.Facts
	// Manifest replaces the text of Facts by the object that it spells, or
	// null when there is none or it is not JSON.
	Manifest json.RawMessage `json:"manifest"`
	// ManifestError says what is wrong with the manifest, or is "".
	ManifestError string `json:"manifest_error,omitempty"`
	Fit           *fit   `json:"fit,omitempty"`

	manifest contract.Manifest
}

// fit is how a driver file and a host go together.
type fit struct {
	Host    string           `json:"host"`
	Fits    bool             `json:"fits"`
	Misfits []inspect.Misfit `json:"misfits"`
}

func inspectCommand() *cobra.Command {
	var asJSON bool
	var host string
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Tell what is in a driver file, without running it",
		Long: `inspect reads a driver file, or a host program, and tells what it is: toolchain,
flags, modules, exported names, package fingerprints, needed libraries and the
manifest. Nothing of the file is run.

With --host it says whether the driver file fits that program, and if not, every
reason with its cause and remedy. Of a program, not of a profile, it is asked
besides whether this machine has the shared libraries. Exit code 3 says that the
file does not fit, or that it is a plugin without a valid manifest.`,
		Example: `  drivercheck inspect sqlite.so
  drivercheck inspect sqlite.so --host /usr/bin/myapp
  drivercheck inspect sqlite.so --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := inspectFile(args[0])
			if err != nil {
				return err
			}
			if host != "" {
				if in.Fit, err = in.fitInto(host); err != nil {
					return err
				}
			}
			if err := in.print(cmd.OutOrStdout(), asJSON); err != nil {
				return err
			}
			if in.ManifestError != "" || in.Fit != nil && !in.Fit.Fits {
				return errFinding
			}
			return nil
		},
		ValidArgsFunction: completeDriver,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.Flags().StringVar(&host, "host", "", "the `program` that is to load the file, or a profile of it")
	_ = cmd.MarkFlagFilename("host")
	return cmd
}

// fitInto compares the file with a host. A program is taken to run on this
// machine; what a profile describes can be anywhere.
func (in *inspection) fitInto(host string) (*fit, error) {
	facts, err := readHost(host)
	if err != nil {
		return nil, err
	}
	var at inspect.Place
	if !inspect.IsProfile(host) {
		at.Machine = inspect.ThisMachine()
	}
	misfits := append([]inspect.Misfit{}, inspect.FitIn(in.Facts, facts, at)...)
	misfits = append(misfits, contractMisfits(in.manifest, facts)...)
	return &fit{Host: host, Fits: len(misfits) == 0, Misfits: misfits}, nil
}

// contractMisfits compares what the manifest accepts with what the host says it
// provides. A host that says nothing of the contract may have it all the same.
func contractMisfits(m contract.Manifest, host *inspect.Facts) []inspect.Misfit {
	var refused []inspect.Misfit
	for _, c := range host.Contracts {
		if c.Name != m.Contract.Name {
			continue
		}
		err := loader.Accepts(m.Contract.Version, c.Version)
		if err == nil {
			return nil
		}
		refused = append(refused, inspect.Misfit{
			Kind: inspect.KindContract, Subject: "contract " + c.Name, Host: c.Version, Driver: m.Contract.Version, Cause: err.Error(),
			Remedy: "use a version of the driver that accepts " + c.Version + ", or a host with a contract that the driver accepts",
		})
	}
	return refused
}

// inspectFile reads the bytes once, so that hash and facts are of one file.
func inspectFile(path string) (*inspection, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, usagef("%s: %w", path, errors.Unwrap(err))
	}
	switch {
	case info.IsDir():
		return nil, usagef("%s: wanted a driver file, found a directory\nname the file; of a driver's package, drivercheck build %s makes one", path, path)
	case !info.Mode().IsRegular():
		return nil, usagef("%s: wanted a driver file, found %s", path, irregular(info))
	case inspect.IsProfile(path):
		return nil, usagef("%s: wanted a driver file or a program, found what looks like JSON\na profile of a program goes with a driver file: drivercheck inspect FILE --host %s", path, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	facts, err := inspect.Read(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, ofFile(path, err)
	}
	sum := sha256.Sum256(content)
	in := &inspection{Path: path, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)), Facts: facts}
	in.readManifest()
	return in, nil
}

// irregular says what a file is that is no regular one.
func irregular(info os.FileInfo) string {
	if info.IsDir() {
		return "a directory"
	}
	return "a special file"
}

func (in *inspection) readManifest() {
	if in.BuildMode != "plugin" {
		return // a host has none
	}
	text, err := in.ManifestText()
	if err == nil {
		if json.Valid([]byte(text)) {
			in.Manifest = json.RawMessage(text)
		}
		in.manifest, err = contract.ParseManifest([]byte(text))
	}
	if errors.Is(err, inspect.ErrNoManifest) {
		err = errors.New("the plugin exports no DriverManifest; drivercheck build makes one of driver.json")
	}
	if err != nil {
		in.ManifestError = err.Error()
	}
}

func (in *inspection) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(in)
	}
	if in.Fit != nil {
		printFit(w, in.Path, in.Fit)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s\t%s\n", name, report.Printable(fmt.Sprintf(format, args...)))
	}
	switch m := in.manifest; {
	case in.ManifestError != "":
		list(line, "manifest", strings.Split(in.ManifestError, "\n"), func(fault string) string { return fault })
	case m.Name != "":
		line("driver", "%s %s, for contract %s %s", m.Name, m.Version, m.Contract.Name, m.Contract.Version)
		optional(line, "about", m.Description)
		optional(line, "license", m.License)
		optional(line, "homepage", m.Homepage)
		optional(line, "aliases", strings.Join(m.Aliases, ", "))
		optional(line, "schemes", strings.Join(m.Schemes, ", "))
	}
	line("file", "%s, %d bytes", in.Path, in.Size)
	line("sha256", "%s", in.SHA256)
	line("built", "%s", strings.Join(in.built(), " "))
	optional(line, "plugin path", in.PluginPath)
	if in.Isolation != nil {
		line("isolated", "as %s", in.Isolation.ID)
		for _, r := range in.Isolation.Dropped {
			line("", "without sql.Register(%s) of %s", cmp.Or(quoted(r.Name), "..."), r.Package)
		}
	}
	optional(line, "exports", strings.Join(in.Symbols, ", "))
	list(line, "modules", in.Modules, moduleText)
	list(line, "provides", in.Contracts, func(c inspect.Contract) string { return "contract " + c.Name + " " + c.Version })
	line("packages", "%d with fingerprints", len(in.Packages))
	optional(line, "needs", strings.Join(in.Needed, ", "))
	optional(line, "looks in", strings.Join(in.RunPath, ", "))
	list(line, "compiled for", in.Sanitizers, sanitizerText)
	if n := len(in.CFunctions); n > 0 {
		line("C functions", "%d that other files see", n)
	}
	return tw.Flush()
}

// list prints a line for each item, with the name before the first.
func list[T any](line func(string, string, ...any), name string, items []T, text func(T) string) {
	for _, item := range items {
		line(name, "%s", text(item))
		name = ""
	}
}

func sanitizerText(s inspect.Sanitizer) string {
	place := "is in " + s.Runtime
	switch s.Runtime {
	case "self":
		place = "is in the file"
	case "":
		place = "must be in the program that loads the file"
	}
	return "the " + s.Name + " sanitizer, which " + place
}

func optional(line func(string, string, ...any), name, text string) {
	if text != "" {
		line(name, "%s", text)
	}
}

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return strconv.Quote(name)
}

// built names the toolchain and the settings that say something of the code:
// defaults for GODEBUG are a screen long, and are in the JSON.
func (in *inspection) built() []string {
	words := []string{cmp.Or(in.GoVersion, "go1.19 or older"), in.GOOS + "/" + in.GOARCH}
	var settings []string
	for k, v := range in.Settings {
		if v != "" && k != "GOOS" && k != "GOARCH" && k != "-compiler" && k != "DefaultGODEBUG" {
			settings = append(settings, k+"="+v)
		}
	}
	slices.Sort(settings)
	return append(words, settings...)
}

func moduleText(m inspect.Module) string {
	s := m.Path + " " + m.Version
	if m.Replace != nil {
		s += " => " + moduleText(*m.Replace)
	}
	return strings.TrimSpace(s)
}

func printFit(w io.Writer, path string, f *fit) {
	if f.Fits {
		fmt.Fprintf(w, "%s fits %s\n\n", path, f.Host)
		return
	}
	misfits := "1 misfit"
	if n := len(f.Misfits); n != 1 {
		misfits = fmt.Sprintf("%d misfits", n)
	}
	fmt.Fprintf(w, "%s does not fit %s: %s\n", path, f.Host, misfits)
	for _, m := range f.Misfits {
		count := ""
		if m.Count > 1 {
			count = fmt.Sprintf(" (%d packages)", m.Count)
		}
		fmt.Fprintf(w, "\n  %s: %s%s\n", m.Kind, report.Printable(m.Subject), count)
		for _, f := range [][2]string{{"host", cmp.Or(m.Host, "none")}, {"driver", cmp.Or(m.Driver, "none")}, {"cause", m.Cause}, {"remedy", m.Remedy}} {
			fmt.Fprintf(w, "    %-7s %s\n", f[0], report.Printable(f[1]))
		}
	}
	fmt.Fprintln(w)
}
