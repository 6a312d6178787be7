package scaffold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/keyway-go/keyway/internal/procgroup"
)

// goVersion is the one that Keyway's own go.mod asks for.
const goVersion = "1.26.0"

// module writes go.mod and go.sum. That they could not be made tidy is no error,
// as the driver itself imports the standard library only.
func (o Options) module(ctx context.Context, dir string) (untidy, err error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, fmt.Errorf("the go command is wanted and not in PATH: install Go %s or later", goVersion)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m\n\ngo "+goVersion+"\n"), 0o666); err != nil {
		return nil, err
	}
	path := o.Module
	if path == "" {
		path = "example.com/" + o.Manifest.Name
	}
	// The go command knows which paths there may be.
	if err := run(ctx, dir, "mod", "edit", "-module="+path); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, inputf("the module path %q will not do\n%v\ngive another one with --module", path, err)
	}
	if err := run(ctx, dir, append([]string{"mod", "edit"}, o.Keyway.edits()...)...); err != nil {
		return nil, err
	}
	untidy = run(ctx, dir, "mod", "tidy")
	return untidy, ctx.Err()
}

// run runs the go command. Its error is what the command said last.
func run(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	procgroup.Own(cmd)
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && out.Len() == 0:
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	case err != nil:
		return errors.New(strings.TrimSpace(out.String()))
	}
	return nil
}
