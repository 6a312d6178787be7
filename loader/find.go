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
			remedy := "let this user read " + dir
			if errors.Is(err, errNotDir) {
				remedy = "name a directory in loader.Config.Dirs"
			}
			return nil, &LoadError{Stage: StageFind, Wanted: "a readable directory of drivers", Found: err.Error(), Remedy: remedy, Err: err}
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

// choice is a version of a driver that could be loaded.
type choice[D any] struct {
	version string
	file    string     // of a driver file
	linked  *linked[D] // of a driver in the program
}

// choices returns the versions of a name that the application allows, the best
// one first; see Load. There is one at least. version is the one that is wanted,
// or "" for that which is pinned, or any.
func (l *Loader[D]) choices(ctx context.Context, name, version string) ([]choice[D], error) {
	if !namePattern.MatchString(name) {
		return nil, &LoadError{Stage: StageFind, Wanted: "a driver name that matches [a-z][a-z0-9_-]{0,63}",
			Found: fmt.Sprintf("%.80q", name), Remedy: "ask for a driver by its name, not by a path"}
	}
	all, err := Find(l.cfg.Dirs...)
	if err != nil {
		return nil, err
	}
	version = cmp.Or(version, l.drivers.pinned(name))
	var choices []choice[D]
	for _, in := range l.linkedIn() {
		if in.manifest.Name == name {
			choices = append(choices, choice[D]{version: in.manifest.Version, linked: in})
		}
	}
	for _, f := range all {
		if f.Name == name {
			choices = append(choices, choice[D]{version: f.Version, file: f.Path})
		}
	}
	if len(choices) == 0 {
		return nil, l.notFound(name, all)
	}
	for i, c := range choices {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// The version of name.so is in its manifest. When there is nothing to
		// compare it with, or the manifest cannot be read, the stages to come
		// say what is wrong.
		if c.version == "" && (len(choices) > 1 || version != "" || l.drivers.has(name)) {
			choices[i].version = l.peekVersion(c.file)
		}
	}
	slices.SortStableFunc(choices, func(a, b choice[D]) int { return compareVersions(b.version, a.version) })
	// Of two with one version the first is taken, and no other for it.
	choices = slices.CompactFunc(choices, func(a, b choice[D]) bool { return a.version == b.version && a.version != "" })
	return l.allowed(name, version, choices)
}

// errNotAllowed tells that there are versions, but none that is wanted.
var errNotAllowed = errors.New("no version that is allowed")

// allowed takes away what the application does not allow, or is not the version
// that is wanted, if there is one.
func (l *Loader[D]) allowed(name, version string, choices []choice[D]) ([]choice[D], error) {
	wanted := "version " + l.versions.text(name) + ", as the application asks"
	if version != "" {
		wanted = "version " + version + ", which is pinned"
	}
	allowed := slices.DeleteFunc(slices.Clone(choices), func(c choice[D]) bool {
		return c.version != "" && (!l.versions.allow(name, c.version) || version != "" && c.version != version)
	})
	if len(allowed) > 0 {
		return allowed, nil
	}
	versions := make([]string, len(choices))
	for i, c := range choices {
		versions[i] = c.version + " (" + cmp.Or(c.file, "in the program") + ")"
	}
	return nil, &LoadError{Stage: StageFind, Wanted: wanted,
		Found: strings.Join(versions, ", "), Remedy: "install a version that the application allows", Err: errNotAllowed}
}

func (l *Loader[D]) peekVersion(path string) string {
	if info, err := os.Stat(path); err == nil {
		if s := l.onShelf(path); s != nil && s.sameAs(info) && s.manifest.Version != "" {
			return s.manifest.Version
		}
	}
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
	where := strings.Join(l.cfg.Dirs, ", ")
	var names, inProgram []string
	for _, in := range l.linkedIn() {
		if !slices.Contains(inProgram, in.manifest.Name) {
			inProgram = append(inProgram, in.manifest.Name)
		}
	}
	slices.Sort(inProgram)
	if len(l.cfg.Dirs) == 0 {
		e.Found = "no directory to search"
		e.Remedy = "give loader.Config.Dirs"
		if len(inProgram) > 0 {
			e.Wanted = "a driver " + name
			e.Found += ", and in the program only " + strings.Join(inProgram, ", ")
			e.Remedy += ", or loader.Register the driver"
		}
		return e
	}
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
	if len(inProgram) > 0 {
		e.Found += ", and in the program " + strings.Join(inProgram, ", ")
	}
	e.Remedy = "copy the driver file into one of these directories"
	return e
}
