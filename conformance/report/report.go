// Package report writes what a conformance run found: for people, and as JSON.
package report

import (
	"encoding/json"
	"io"

	"github.com/keyway-go/keyway/conformance"
)

// JSON writes the report as one indented document, whose form Schema names.
func JSON(w io.Writer, r *conformance.Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}
