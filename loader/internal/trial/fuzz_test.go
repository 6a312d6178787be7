//go:build linux || freebsd

package trial

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// FuzzReport has a child write anything to the pipe of its report, and then more
// than a pipe holds: it can write all of it, the reader comes to an end, and the
// last whole message before the first fault counts.
func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"Doing":"open"}` + "\n" + `{"Doing":"leave","Fault":{"Wanted":"w","Found":"f","Remedy":"r"}}` + "\n"))
	f.Add([]byte(`{"Doing":"open"}` + "\n" + `{"Doing":"lea`))
	f.Add([]byte(`{"Doing":7}`))
	f.Add([]byte("\x00\xff"))
	f.Add([]byte(strings.Repeat("[", 11_000)))
	f.Add([]byte(`{"Doing":"` + strings.Repeat("x", 5_000) + `"}`))
	f.Add(bytes.Repeat([]byte("{}\n"), 1_000))
	more := bytes.Repeat([]byte{0}, 70<<10)
	f.Fuzz(func(t *testing.T, report []byte) {
		var p pipes
		defer p.close()
		if err := p.open(); err != nil {
			t.Fatal(err)
		}
		var r Result
		reading := p.read(&r)
		_ = p.report.w.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := p.report.w.Write(append(report, more...)); err != nil {
			t.Errorf("nobody reads: %v", err)
		}
		p.closeOthers()
		p.expire(time.Now().Add(10 * time.Second))
		reading.Wait()
		var last message
		for d := json.NewDecoder(bytes.NewReader(report)); ; {
			var m message
			if d.Decode(&m) != nil {
				break
			}
			last = m
		}
		if got := (message{r.Doing, r.Fault}); !reflect.DeepEqual(got, last) {
			t.Errorf("got %+v, want %+v", got, last)
		}
	})
}
