//go:build unix

package dbserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParentDir(t *testing.T) {
	temp := temporary(t)
	below := func(name string, mode os.FileMode) string {
		dir := filepath.Join(temp, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	open, closed := below("open", 0o777), below("closed", 0o700)
	if err := os.Mkdir(filepath.Join(closed, "inside"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(closed, "inside"), 0o777); err != nil {
		t.Fatal(err)
	}
	other := &account{uid: 1, gid: 1}
	for _, c := range []struct {
		temp    string
		account *account
		want    string
	}{
		{open, nil, open},
		{open, other, open},
		{closed, nil, closed},
		{closed, other, "/tmp"},
		{filepath.Join(closed, "inside"), other, "/tmp"},
		{below("with space", 0o777), nil, "/tmp"},
		{below("(", 0o777), nil, "/tmp"},
		{below(strings.Repeat("x", 60), 0o777), nil, "/tmp"},
		{filepath.Join(temp, "missing"), other, "/tmp"},
	} {
		t.Setenv("TMPDIR", c.temp)
		if got := parentDir(c.account); got != c.want {
			t.Errorf("TMPDIR=%s: %q, want %q", c.temp, got, c.want)
		}
	}
}
