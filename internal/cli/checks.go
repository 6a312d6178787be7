package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/keyway-go/keyway/conformance"
)

// checkOf is a check in checks --json.
type checkOf struct {
	conformance.CheckInfo
	Contract string `json:"contract"`
}

func checksCommand(suites suites) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "checks [ID, FAMILY or PATTERN]",
		Short: "List the checks of a contract",
		Long: `checks lists every check with its level and its rule. With an ID, a family or a
pattern it lists those checks in full: rule, source, and the optional interface
without which the rule does not apply.`,
		Example: `  drivercheck checks
  drivercheck checks tx
  drivercheck checks rows/eof-exact
  drivercheck checks --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeChecks(suites),
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted := slices.DeleteFunc(suites.catalogue(), func(c conformance.CheckInfo) bool {
				return len(args) > 0 && !conformance.Matches(args[0], c.ID)
			})
			if len(wanted) == 0 {
				return usagef("no check matches %q\n%s checks lists them", args[0], cmd.Root().Name())
			}
			out := cmd.OutOrStdout()
			switch {
			case asJSON:
				return encodeChecks(out, suites, wanted)
			case len(args) == 0:
				listSuites(out, suites)
			default:
				explainChecks(out, wanted)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// encodeChecks writes those of the suites' checks that are wanted.
func encodeChecks(w io.Writer, suites suites, wanted []conformance.CheckInfo) error {
	var all []checkOf
	for _, s := range suites {
		for _, c := range s.Catalogue() {
			if slices.Contains(wanted, c) {
				all = append(all, checkOf{c, s.Info().Name})
			}
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(all)
}

func listSuites(w io.Writer, suites suites) {
	for i, s := range suites {
		if i > 0 {
			fmt.Fprintln(w)
		}
		infos := s.Catalogue()
		listChecks(w, infos)
		fmt.Fprintf(w, "\n%d checks of contract %s %s\n", len(infos), s.Info().Name, s.Info().Version)
	}
}

func listChecks(w io.Writer, infos []conformance.CheckInfo) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	last := ""
	for _, c := range infos {
		if family, _, _ := strings.Cut(c.ID, "/"); family != last {
			if last != "" {
				fmt.Fprintln(tw)
			}
			last = family
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", c.ID, c.Level, c.Rule)
	}
	tw.Flush()
}

func explainChecks(w io.Writer, infos []conformance.CheckInfo) {
	for i, c := range infos {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s (%s)\n  rule    %s\n  source  %s\n", c.ID, c.Level, c.Rule, c.Source)
		if c.Gate != "" {
			fmt.Fprintf(w, "  gate    %s\n", c.Gate)
		}
	}
}
