package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
	// A name may itself hold "-v1"; the version is the longest tail that is
	// one, so the name is matched as short as possible.
	filePattern = regexp.MustCompile(`^([a-z][a-z0-9_-]{0,63}?)(?:-v([0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]*)?))?\.so$`)
)

// Found is a driver file as its name describes it. Nothing of it was read.
type Found struct {
	// Name is the driver's name.
	Name string
	// Version is the version in the file name, or "" for name.so.
	Version string
	// Path is absolute.
	Path string
}

// Find lists the driver files of directories, by directory and then by name.
// A directory that does not exist is skipped, so that an application may name
// places that only some machines have; one that cannot be read is an error.
func Find(dirs ...string) ([]Found, error) {
	var found []Found
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, &LoadError{Stage: StageFind, Wanted: "a readable directory of drivers", Found: err.Error(),
				Remedy: "let this user read " + dir, Err: err}
		}
		for _, e := range entries {
			name, version, ok := splitFileName(e.Name())
			if ok && !e.IsDir() {
				found = append(found, Found{Name: name, Version: version, Path: filepath.Join(dir, e.Name())})
			}
		}
	}
	return found, nil
}

// splitFileName takes "name-v1.2.0.so" apart.
func splitFileName(base string) (name, version string, ok bool) {
	m := filePattern.FindStringSubmatch(base)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// find returns the best file for a name; see Load.
func (l *Loader[D]) find(ctx context.Context, name string) (string, error) {
	if !namePattern.MatchString(name) {
		return "", &LoadError{Stage: StageFind, Wanted: "a driver name that matches [a-z][a-z0-9_-]{0,63}",
			Found: fmt.Sprintf("%.80q", name), Remedy: "ask for a driver by its name, not by a path"}
	}
	all, err := Find(l.cfg.Dirs...)
	if err != nil {
		return "", err
	}
	candidates := slices.DeleteFunc(slices.Clone(all), func(f Found) bool { return f.Name != name })
	if len(candidates) == 0 {
		return "", l.notFound(name, all)
	}
	for i, c := range candidates {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		// The version of name.so is in its manifest. When there is nothing to
		// choose from, or the manifest cannot be read, the stages to come say
		// what is wrong.
		if c.Version == "" && len(candidates) > 1 {
			candidates[i].Version = l.peekVersion(c.Path)
		}
	}
	slices.SortStableFunc(candidates, func(a, b Found) int { return compareVersions(b.Version, a.Version) })
	for _, c := range candidates {
		if c.Version == "" || l.versions.allow(name, c.Version) {
			return c.Path, nil
		}
	}
	versions := make([]string, len(candidates))
	for i, c := range candidates {
		versions[i] = c.Version + " (" + c.Path + ")"
	}
	return "", &LoadError{Stage: StageFind, Wanted: "version " + l.versions.text(name) + ", as the application asks",
		Found: strings.Join(versions, ", "), Remedy: "install a version that the application allows"}
}

func (l *Loader[D]) peekVersion(path string) string {
	admitted, err := admit(path, l.cfg)
	if err != nil {
		return ""
	}
	_, manifest, err := inspectFile(admitted)
	if err != nil {
		return ""
	}
	return manifest.Version
}

func (l *Loader[D]) notFound(name string, all []Found) error {
	e := &LoadError{Stage: StageFind, Wanted: name + ".so or " + name + "-v<version>.so", Err: fs.ErrNotExist}
	if len(l.cfg.Dirs) == 0 {
		e.Found = "no directory to search"
		e.Remedy = "give loader.Config.Dirs"
		return e
	}
	where := strings.Join(l.cfg.Dirs, ", ")
	var names []string
	for _, f := range all {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	slices.SortFunc(names, cmp.Compare[string])
	if len(names) == 0 {
		e.Found = "no driver file in " + where
	} else {
		e.Found = "in " + where + " only " + strings.Join(names, ", ")
	}
	e.Remedy = "copy the driver file into one of these directories"
	return e
}
