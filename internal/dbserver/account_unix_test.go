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
	const forAll = 0o777 | os.ModeSticky
	open, closed, unsafe := below("open", forAll), below("closed", 0o700), below("unsafe", 0o777)
	below("closed/inside", forAll)
	below("unsafe/inside", forAll)
	other := &account{uid: 1, gid: 1}
	for _, c := range []struct {
		temp    string
		account *account
		want    string
	}{
		{open, nil, open},
		{open, other, open},
		{unsafe, nil, unsafe},
		{unsafe, other, "/tmp"},
		{filepath.Join(unsafe, "inside"), other, "/tmp"},
		{closed, nil, closed},
		{closed, other, "/tmp"},
		{filepath.Join(closed, "inside"), other, "/tmp"},
		{below("with space", forAll), nil, "/tmp"},
		{below("(", forAll), nil, "/tmp"},
		{below(strings.Repeat("x", 60), forAll), nil, "/tmp"},
		{filepath.Join(temp, "missing"), other, "/tmp"},
	} {
		t.Setenv("TMPDIR", c.temp)
		if got := parentDir(c.account); got != c.want {
			t.Errorf("TMPDIR=%s: %q, want %q", c.temp, got, c.want)
		}
	}
}
