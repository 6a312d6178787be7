package mysql

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	upstream "github.com/go-sql-driver/mysql"
	"github.com/keyway-go/keyway/contract"
)

// record takes log lines of either kind.
type record struct {
	sync.Mutex
	bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.Lock()
	defer r.Unlock()
	return r.Buffer.Write(p)
}

func (r *record) Print(v ...any) { fmt.Fprint(r, v...) }

func (r *record) taken() string {
	r.Lock()
	defer r.Unlock()
	defer r.Reset()
	return r.String()
}

// TestLogger: only the logger that was given last is written to, not upstream's
// own and not the program's.
func TestLogger(t *testing.T) {
	s := server(t)
	var ours, global record
	if err := upstream.SetLogger(&global); err != nil {
		t.Fatal(err)
	}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&global, nil)))
	t.Cleanup(func() { slog.SetDefault(before); upstream.SetLogger(&record{}) })

	d := NewDriver()
	c, err := d.OpenConnector(s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	lose := func() {
		conn, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.(driver.ExecerContext).ExecContext(t.Context(), "KILL CONNECTION_ID()", nil)
		conn.(driver.Pinger).Ping(t.Context())
	}
	for i, l := range []*slog.Logger{nil, slog.New(slog.NewTextHandler(&ours, nil)), nil} {
		if i > 0 { // the first time none was ever given
			d.(contract.LoggerSetter).SetLogger(l)
		}
		lose()
		got := ours.taken()
		if (l != nil) != strings.Contains(got, "level=WARN") || strings.Contains(got, s.Password) {
			t.Errorf("with a logger: %v, it got %q", l != nil, got)
		}
	}
	if got := global.taken(); got != "" {
		t.Errorf("others got %q", got)
	}
}
