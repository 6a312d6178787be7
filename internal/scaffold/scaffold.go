// Package scaffold writes a driver to start from: a module that builds, passes
// the checks that its small database can be put to, and is tested.
package scaffold

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/keyway-go/keyway/contract"
)

// templates holds a directory for each contract. A file's name is that of the
// file to write and ".tmpl"; what is to be filled in stands between [[ and ]].
//
//go:embed all:sql
var templates embed.FS

// Contracts returns the names of the contracts for which there is a driver to
// start from.
func Contracts() []string {
	var names []string
	entries, _ := templates.ReadDir(".")
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Options say what to write.
type Options struct {
	// Dir is the directory to write. It must not exist, or be empty; the
	// directory around it must exist.
	Dir string
	// Manifest has the driver's name and its contract, one of Contracts. The
	// rest comes from the template.
	Manifest contract.Manifest
	// Module is the module's path; "" means example.com/ and the name.
	Module string
	// Keyway says where the tests of the module find Keyway.
	Keyway Keyway
}

// Result says what was written.
type Result struct {
	// Files are the names, with slashes and relative to Dir, in order.
	Files []string
	// Untidy is why "go mod tidy" could not do its work, or nil. The driver
	// builds all the same; its tests need that work.
	Untidy error
}

// InputError is an error of what the caller asked for.
type InputError struct {
	// Message is for people.
	Message string
}

// Error returns Message.
func (e *InputError) Error() string { return e.Message }

func inputf(format string, args ...any) error { return &InputError{fmt.Sprintf(format, args...)} }

// Write writes the module. The directory appears complete or not at all. The
// error is an *InputError for options that make no sense, and ctx.Err() when
// ctx has ended.
func Write(ctx context.Context, o Options) (Result, error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
	target, err := o.target()
	if err != nil {
		return Result{}, err
	}
	beside, err := os.MkdirTemp(filepath.Dir(target), ".keyway-new-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(beside)
	dir := filepath.Join(beside, filepath.Base(target))
	if err := o.render(dir); err != nil {
		return Result{}, err
	}
	untidy, err := o.module(ctx, dir)
	if err != nil {
		return Result{}, err
	}
	files, err := list(dir)
	if err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	// An empty directory makes room; one that was filled meanwhile stays.
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Result{}, err
	}
	return Result{Files: files, Untidy: untidy}, os.Rename(dir, target)
}

// check returns what is wrong with the name and the contract.
func (o Options) check() error {
	m := o.Manifest
	m.Version = "0.1.0" // as in the template
	if err := m.Validate(); err != nil {
		return inputf("%v\nNAME is the name by which hosts know the driver; -o says where to write it", err)
	}
	if !slices.Contains(Contracts(), m.Contract.Name) {
		return inputf("there is no driver to start from for the contract %q\nthere is one for: %s", m.Contract.Name, strings.Join(Contracts(), ", "))
	}
	return nil
}

// target returns the absolute path of the directory to write, where nothing
// must be lost.
func (o Options) target() (string, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(filepath.Dir(dir)); err != nil || !info.IsDir() {
		return "", inputf("there is no directory %s to write %s in", filepath.Dir(o.Dir), filepath.Base(dir))
	}
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, nil
	}
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", inputf("%s is there already, and is no directory", o.Dir)
	}
	if here, err := os.Stat("."); err == nil && os.SameFile(here, info) {
		return "", inputf("the current directory cannot be replaced\nname a directory that is not there yet")
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return "", inputf("%s is there already, and is not empty\nit has %s; name another directory with -o", o.Dir, entries[0].Name())
	}
	return dir, err
}

// values are what the templates can use.
type values struct {
	contract.Manifest
	Package  string
	Replaced bool
}

func (o Options) render(dir string) error {
	v := values{o.Manifest, packageName(o.Manifest.Name), o.Keyway.Dir != ""}
	sub, err := fs.Sub(templates, o.Manifest.Contract.Name)
	if err != nil {
		return err
	}
	return fs.WalkDir(sub, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file := filepath.Join(dir, filepath.FromSlash(strings.TrimSuffix(name, ".tmpl")))
		if d.IsDir() {
			return os.Mkdir(file, 0o777)
		}
		text, err := fs.ReadFile(sub, name)
		if err != nil {
			return err
		}
		t, err := template.New(name).Delims("[[", "]]").Option("missingkey=error").Parse(string(text))
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := t.Execute(&out, v); err != nil {
			return err
		}
		mode := fs.FileMode(0o666)
		if strings.HasSuffix(file, ".sh") {
			mode = 0o777
		}
		return os.WriteFile(file, out.Bytes(), mode)
	})
}

// packageName makes a Go package's name of a driver's.
func packageName(driver string) string {
	name := strings.NewReplacer("-", "", "_", "").Replace(driver)
	// A package main would be a program, and the others cannot be imported by
	// their names.
	if token.IsKeyword(name) || name == "main" || name == "init" {
		return name + "driver"
	}
	return name
}

func list(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, filepath.ToSlash(name))
		return err
	})
	return files, err
}
