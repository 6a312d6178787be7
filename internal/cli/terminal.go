package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/keyway-go/keyway/conformance"
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantsColor follows https://no-color.org.
func wantsColor(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// bar is the live progress of a run on a terminal.
type bar struct {
	w   io.Writer
	bar *progressbar.ProgressBar
	bad int
}

func newBar(w io.Writer) *bar { return &bar{w: w} }

func (b *bar) show(p conformance.Progress) {
	if p.Result == nil {
		b.bar = progressbar.NewOptions(p.Total,
			progressbar.OptionSetWriter(b.w),
			progressbar.OptionSetDescription("test"),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetWidth(30),
			progressbar.OptionClearOnFinish())
		_ = b.bar.RenderBlank()
		return
	}
	switch p.Result.Status {
	case conformance.Pass, conformance.Waived, conformance.Unsupported, conformance.Disabled, conformance.NotRun:
	default:
		b.bad++
		b.bar.Describe(fmt.Sprintf("test (%d not passed)", b.bad))
	}
	_ = b.bar.Set(p.Done)
}

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}

// spinner tells what a build compiles, on a terminal.
type spinner struct{ bar *progressbar.ProgressBar }

// newSpinner returns nil, whose methods do nothing, if w is no terminal.
func newSpinner(w io.Writer) *spinner {
	if !isTerminal(w) {
		return nil
	}
	return &spinner{progressbar.NewOptions(-1,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("build"),
		progressbar.OptionClearOnFinish())}
}

func (s *spinner) show(pkg string) {
	if s != nil {
		// A line that does not fit could not be cleared.
		const longest = 50
		if len(pkg) > longest {
			pkg = "..." + pkg[len(pkg)-longest:]
		}
		s.bar.Describe("build " + pkg)
		_ = s.bar.Add(1)
	}
}

func (s *spinner) end() {
	if s != nil {
		_ = s.bar.Finish()
	}
}

// relative shortens a path below the current directory.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func completeDirs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeDriver offers driver files; shells offer directories beside them.
func completeDriver(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"so"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeChecks offers the families and the checks of suites, with rules.
func completeChecks(suites suites) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		var offers []string
		seen := map[string]bool{}
		for _, c := range suites.catalogue() {
			family, _, _ := strings.Cut(c.ID, "/")
			if !seen[family] && strings.HasPrefix(family, prefix) {
				seen[family] = true
				offers = append(offers, family+"\tall checks of the family")
			}
			if strings.HasPrefix(c.ID, prefix) {
				offers = append(offers, c.ID+"\t"+c.Rule)
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp
	}
}
