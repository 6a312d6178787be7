package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/conformance/report"
)

func sample() *conformance.Report {
	r := &conformance.Report{
		Schema: conformance.Schema, Driver: conformance.DriverInfo{Name: "tiny", Version: "1.0.0"},
		Contract: conformance.ContractInfo{Name: "sql", Version: "1.0.0"}, Problems: []string{"a waiver matches no check"},
		Checks: []conformance.Result{
			{ID: "tx/commit", Level: conformance.Must, Status: conformance.Pass, DurationMS: 3.2, Rule: "Commit commits.", Source: "driver.Tx"},
			{ID: "tx/read-only", Level: conformance.Must, Status: conformance.Fail, Message: "wanted an error\nfound <nil>",
				Logs: []string{"one", "two"}, Rule: "Read-only is kept.", Source: "driver.TxOptions"},
			{ID: "rows/empty", Level: conformance.May, Status: conformance.Waived, Message: "found a row", WaivedStatus: conformance.Fail, Rule: "Empty is empty.", Source: "driver.Rows",
				Waiver: &conformance.Waiver{Check: "rows/*", Reason: "upstream", URL: "https://example.com/1"}},
			{ID: "rows/next", Level: conformance.Should, Status: conformance.Unsupported, Message: "no cursor"},
			{ID: "ctx/s", Level: conformance.Must, Status: conformance.SuiteError, Message: "no table"},
			{ID: "ctx/a", Level: conformance.Must, Status: conformance.NotRun, Message: "interrupted"},
			{ID: "ctx/b", Level: conformance.Must, Status: conformance.NotRun, Message: "interrupted"},
		},
		Total: 7, Summary: map[conformance.Status]int{},
	}
	for _, s := range conformance.Statuses() {
		r.Summary[s] = 0
	}
	for _, c := range r.Checks {
		r.Summary[c.Status]++
	}
	return r
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	report.Text{W: &b, Command: "drivercheck test x --run %s"}.Write(sample())
	assert.Equal(t, `
  tx    1 pass, 1 fail
  rows  1 waived, 1 unsupported
  ctx   1 suite-error, 2 not-run

fail  tx/read-only (must)
  rule     Read-only is kept.
  source   driver.TxOptions
  found    wanted an error
           found <nil>
  log      one
           two
  repeat   drivercheck test x --run tx/read-only

suite-error  ctx/s: no table

waived: the driver breaks these rules, and says why
  rows/empty (may, fail)
    rule   Empty is empty.
    source driver.Rows
    found  found a row
    reason upstream
    url    https://example.com/1

unsupported: these rules do not apply to the driver
  rows/next (should)
           no cursor

not-run  2 checks: interrupted

problem  a waiver matches no check

tiny 1.0.0 does not conform to sql 1.0.0; 7 checks: 1 pass, 1 fail, 1 suite-error, 2 not-run, 1 waived, 1 unsupported
`, b.String())
}

func TestVerdict(t *testing.T) {
	verdict := func(change func(r *conformance.Report)) string {
		r := sample()
		r.Problems, r.Checks, r.Total = nil, r.Checks[:1], 1
		change(r)
		r.Summary = map[conformance.Status]int{}
		for _, c := range r.Checks {
			r.Summary[c.Status]++
		}
		var b bytes.Buffer
		report.Text{W: &b}.Write(r)
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		return lines[len(lines)-1]
	}
	assert.Equal(t, "tiny 1.0.0 conforms to sql 1.0.0; 1 check: 1 pass", verdict(func(r *conformance.Report) {}))
	assert.Equal(t, "tiny 1.0.0 is good as far as it was tested for sql 1.0.0; 1 of 70 checks: 1 pass",
		verdict(func(r *conformance.Report) { r.Total = 70 }))
	assert.Equal(t, "tiny 1.0.0 is good as far as it was tested for sql 1.0.0; 2 checks: 1 pass, 1 disabled",
		verdict(func(r *conformance.Report) {
			r.Checks, r.Total = append(r.Checks, conformance.Result{ID: "a/b", Status: conformance.Disabled}), 2
		}))
	assert.Equal(t, "tiny 1.0.0 does not conform to sql 1.0.0; 1 check: 1 fail",
		verdict(func(r *conformance.Report) { r.Checks[0].Status = conformance.Fail }))
	assert.Equal(t, "tiny 1.0.0 does not conform to sql 1.0.0; 1 check: 1 pass",
		verdict(func(r *conformance.Report) { r.Checks[0].ID = "file/loads" }))
	assert.Equal(t, "it is not known whether tiny 1.0.0 conforms to sql 1.0.0; 1 check: 1 suite-error",
		verdict(func(r *conformance.Report) { r.Checks[0].Status = conformance.SuiteError }))
	assert.Equal(t, "interrupted: nothing is known of tiny 1.0.0 and sql 1.0.0; 1 check: 1 not-run",
		verdict(func(r *conformance.Report) { r.Checks[0].Status, r.Interrupted = conformance.NotRun, true }))
}

func TestColor(t *testing.T) {
	var plain, colored bytes.Buffer
	report.Text{W: &plain}.Line(sample().Checks[0])
	report.Text{W: &colored, Color: true}.Line(sample().Checks[0])
	assert.NotContains(t, plain.String(), "\x1b")
	assert.Contains(t, colored.String(), "\x1b[32mpass")
	assert.Equal(t, "  pass             tx/commit                               3 ms\n", plain.String())
}

// What a driver wrote must not be able to repaint the terminal.
func TestEvidenceIsPlain(t *testing.T) {
	r := sample()
	r.Checks[1].Message = "a\x1b[2Jb\tc\rd"
	r.Checks[2].Waiver.Reason = "\x1b]0;title\a"
	r.Driver.Name = "tiny"
	var b bytes.Buffer
	report.Text{W: &b}.Write(r)
	assert.NotContains(t, b.String(), "\x1b")
	assert.NotContains(t, b.String(), "\r")
	assert.NotContains(t, b.String(), "\a")
	assert.Contains(t, b.String(), "b\tc")
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, sample()))
	var back conformance.Report
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	assert.Equal(t, sample(), &back)
	assert.True(t, strings.HasSuffix(b.String(), "}\n"))
	assert.Contains(t, b.String(), "<nil>", "evidence is readable")
}
