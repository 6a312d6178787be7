package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/keyway-go/keyway/conformance"
)

// checkInfo is a check in checks --json.
type checkInfo struct {
	ID     string            `json:"id"`
	Level  conformance.Level `json:"level"`
	Rule   string            `json:"rule"`
	Source string            `json:"source"`
	Gate   string            `json:"gate,omitempty"`
}

func checksCommand[D any](suite *conformance.Suite[D]) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "checks [ID, FAMILY or PATTERN]",
		Short: "List the checks of the contract",
		Long: `checks lists every check with its level and its rule. With an ID, a family or a
pattern it lists those checks in full: rule, source, and the optional interface
without which the rule does not apply.`,
		Example: `  drivercheck checks
  drivercheck checks tx
  drivercheck checks rows/eof-exact
  drivercheck checks --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeChecks(suite),
		RunE: func(cmd *cobra.Command, args []string) error {
			all := suite.All()
			var infos []checkInfo
			for _, c := range all {
				if len(args) == 0 || conformance.Matches(args[0], c.ID) {
					infos = append(infos, checkInfo{c.ID, c.Level, c.Rule, c.Source, c.Gate})
				}
			}
			if len(infos) == 0 {
				return usagef("no check matches %q\ndrivercheck checks lists them", args[0])
			}
			out := cmd.OutOrStdout()
			switch {
			case asJSON:
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(infos)
			case len(args) == 0:
				listChecks(out, infos)
				fmt.Fprintf(out, "\n%d checks of contract %s %s\n", len(infos), suite.Contract.Name(), suite.Contract.Version())
			default:
				explainChecks(out, infos)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func listChecks(w io.Writer, infos []checkInfo) {
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

func explainChecks(w io.Writer, infos []checkInfo) {
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
