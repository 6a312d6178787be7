package main

import (
	"database/sql"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// display is how results are shown.
type display struct {
	null string // stands for NULL
	csv  bool
}

// rows shows the result sets of a query, to the last.
func (d display) rows(w io.Writer, rows *sql.Rows) error {
	for {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		if err := d.set(w, columns, rows); err != nil {
			return err
		}
		if !rows.NextResultSet() {
			return rows.Err()
		}
	}
}

// set shows one result set. One without columns is that of a statement that has
// none.
func (d display) set(w io.Writer, columns []string, rows *sql.Rows) error {
	values := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var out sink = &tableSink{display: d, w: w}
	if d.csv {
		out = &csvSink{display: d, w: csv.NewWriter(w)}
	}
	out.head(columns)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := out.row(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return out.end()
}

// sink takes a result set. row does not keep the slice.
type sink interface {
	head(columns []string)
	row(values []any) error
	end() error
}

// tableSink keeps all rows, since the widest cell of a column is its width.
type tableSink struct {
	display
	w       io.Writer
	columns []string
	cells   []table.Row
	words   []bool // by column, whether it holds something else than numbers
}

func (t *tableSink) head(columns []string) {
	t.columns, t.words = columns, make([]bool, len(columns))
}

func (t *tableSink) row(values []any) error {
	row := make(table.Row, len(values))
	for i, v := range values {
		row[i] = printable(t.cell(v))
		switch v.(type) {
		case nil, int64, float64:
		default:
			t.words[i] = true
		}
	}
	t.cells = append(t.cells, row)
	return nil
}

func (t *tableSink) end() error {
	if len(t.columns) == 0 {
		_, err := fmt.Fprintln(t.w, "done")
		return err
	}
	head := make(table.Row, len(t.columns))
	configs := make([]table.ColumnConfig, len(t.columns))
	for i, name := range t.columns {
		head[i] = printable(name)
		configs[i] = table.ColumnConfig{Number: i + 1, Align: text.AlignRight}
		if t.words[i] {
			configs[i].Align = text.AlignLeft
		}
	}
	_, err := fmt.Fprintf(t.w, "%s\n(%s)\n", renderTable(head, t.cells, configs), counted(int64(len(t.cells)), "row"))
	return err
}

func renderTable(head table.Row, rows []table.Row, configs []table.ColumnConfig) string {
	tw := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault // not in capital letters
	tw.SetStyle(style)
	tw.SetColumnConfigs(configs)
	tw.AppendHeader(head)
	tw.AppendRows(rows)
	return tw.Render()
}

// csvSink writes rows as they come.
type csvSink struct {
	display
	w *csv.Writer
}

func (c *csvSink) head(columns []string) {
	if len(columns) > 0 {
		_ = c.w.Write(columns) // Flush tells
	}
}

func (c *csvSink) row(values []any) error {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = c.cell(v)
	}
	return c.w.Write(cells)
}

func (c *csvSink) end() error {
	c.w.Flush()
	return c.w.Error()
}

// cell is the text of a value, as Scan gives it for an any.
func (d display) cell(v any) string {
	switch v := v.(type) {
	case nil:
		return d.null
	case []byte:
		if isText(v) {
			return string(v)
		}
		return "x'" + hex.EncodeToString(v) + "'"
	case string:
		if utf8.ValidString(v) {
			return v
		}
		return "x'" + hex.EncodeToString([]byte(v)) + "'"
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// isText tells whether bytes are likely a text: some drivers give every text as
// bytes.
func isText(b []byte) bool {
	return utf8.Valid(b) && !strings.ContainsFunc(string(b), func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' })
}

// printable spells out what would move the cursor of a terminal, but for the end
// of a line.
func printable(s string) string {
	if !strings.ContainsFunc(s, movesCursor) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if movesCursor(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func movesCursor(r rune) bool {
	return unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r)
}

// counted is "1 row" or "2 rows".
func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
