package loader

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Trust says who may be able to change a driver file: whoever can write to it,
// or to a directory above it, decides what the program runs. The file, every
// directory above it up to the root and every symbolic link on the way must
// belong to root or to one of Owners, and nobody else may write to them; this is
// what sudo and OpenSSH ask of their files. The directory of private copies,
// too, must lie below such directories.
//
// A directory in which all may write but only owners rename and delete, such as
// /tmp, may be above the directory of the file, whose owner is checked. It may
// not hold the file itself.
type Trust struct {
	// Owners are the numeric IDs of the users besides root. nil means the
	// effective user of this process; a list that is empty but not nil means
	// root alone.
	Owners []int
}

// maxLinks is how many symbolic links a path may go through, as for Linux.
const maxLinks = 40

// distrust is one reason not to trust a path.
type distrust struct{ found, remedy string }

// resolve follows an absolute path from the root, link by link, and returns it
// without links; what says what it is to be. A directory is checked before
// anything is looked up in it, so nobody but those who are trusted can change
// what was found so far, and the path that is returned means the same when it
// is opened. The last component is followed only if asked. It is not checked
// unless it is a directory, since it can be once it is open.
func (t *Trust) resolve(what, path string, follow bool) (string, *LoadError) {
	w := &walk{trust: t, todo: split(path)}
	err := w.run(follow)
	// Beyond what is not to be trusted the path means what others like.
	if refused := t.refuse(what, w.distrust); refused != nil {
		return "", refused
	}
	if err != nil {
		return "", pathFault(path, err)
	}
	return w.at, nil
}

// walk is the way along a path.
type walk struct {
	trust    *Trust
	lenient  bool        // only links that others can make or replace are distrusted
	at       string      // without links, and checked
	dir      fs.FileInfo // of at, or of its directory at the end
	todo     []string
	links    int
	distrust []distrust
}

func (w *walk) run(follow bool) error {
	if err := w.start(); err != nil {
		return err
	}
	for len(w.todo) > 0 {
		next := filepath.Join(w.at, w.todo[0]) // ".." of what has no links
		w.todo = w.todo[1:]
		last := len(w.todo) == 0
		info, err := os.Lstat(next)
		if err != nil {
			return err
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0 && (follow || !last):
			err = w.follow(next, info)
		case info.IsDir():
			w.enter(next, info)
		case last:
			w.end(next, info)
		default:
			err = errNotDir
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) start() error {
	root := string(filepath.Separator)
	info, err := os.Lstat(root)
	if err == nil {
		w.enter(root, info)
	}
	return err
}

func (w *walk) enter(dir string, info fs.FileInfo) {
	if !w.lenient {
		w.distrust = append(w.distrust, w.trust.faults(dir, info, true)...)
	}
	w.at, w.dir = dir, info
}

func (w *walk) follow(link string, info fs.FileInfo) error {
	if w.links++; w.links > maxLinks {
		return errLoop
	}
	w.distrust = append(w.distrust, w.linkFaults(link, info)...)
	target, err := os.Readlink(link)
	if err != nil {
		return err
	}
	w.todo = append(split(target), w.todo...)
	if filepath.IsAbs(target) {
		return w.start()
	}
	return nil
}

func (w *walk) linkFaults(link string, info fs.FileInfo) []distrust {
	if !w.lenient {
		return w.trust.faults(link, info, true)
	}
	owner, known := ownerOf(info)
	if w.dir.Mode().Perm()&0o022 == 0 || isShared(w.dir) && known && w.trust.trusts(owner) {
		return nil
	}
	return []distrust{{found: fmt.Sprintf("symbolic link %s of %s, in a directory of mode %s, to which others can write",
		link, userText(owner), modeText(w.dir.Mode()))}}
}

func (w *walk) end(file string, info fs.FileInfo) {
	if w.lenient {
		w.at = file
		return
	}
	if isShared(w.dir) {
		w.distrust = append(w.distrust, distrust{"the file itself in " + w.at + ", where all can write",
			"move " + shellWord(file) + " to a directory where nobody else can write"})
	}
	if len(w.distrust) > 0 { // else it is checked once it is open
		w.distrust = append(w.distrust, w.trust.faults(file, info, false)...)
	}
	w.at = file
}

// resolveCache follows the path of a cache directory as resolve does. Without a
// Trust only such links are refused as others can make or replace: of who else
// can write to the directories above, nothing is asked then.
func resolveCache(dir string, t *Trust) (string, *LoadError, error) {
	if filepath.VolumeName(dir) != "" { // of a system where nothing is opened
		return dir, nil, nil
	}
	ours := Trust{Owners: []int{os.Geteuid()}} // whose the directory must be
	if t != nil {
		ours.Owners = slices.Compact(slices.Sorted(slices.Values(append(ours.Owners, t.Owners...))))
	}
	w := &walk{trust: &ours, lenient: t == nil, todo: split(dir)}
	err := w.run(true)
	refused := ours.refuse("a cache directory", w.distrust)
	switch {
	case refused == nil:
		return w.at, nil, err
	case t == nil:
		refused.Wanted, refused.Remedy = "a cache directory whose path others cannot change", "set loader.Config.CacheDir to a path without this link"
	default:
		refused.Remedy += "; or set loader.Config.CacheDir"
	}
	refused.Stage = StageStage
	return dir, refused, nil
}

// split returns the components of a path.
func split(path string) []string {
	return slices.DeleteFunc(strings.Split(path, string(filepath.Separator)), func(s string) bool { return s == "" || s == "." })
}

// isShared tells of a directory that all may write to, and where only owners
// rename and delete.
func isShared(info fs.FileInfo) bool {
	return info.IsDir() && info.Mode()&fs.ModeSticky != 0 && info.Mode().Perm()&0o022 != 0
}

// faults are the reasons not to trust what is at a path. above says that it is
// on the way to the file, and not the file itself.
func (t *Trust) faults(path string, info fs.FileInfo, above bool) []distrust {
	var found []distrust
	kind, chown := "file", "chown"
	switch {
	case info.IsDir():
		kind = "directory"
	case info.Mode()&fs.ModeSymlink != 0:
		kind, chown = "symbolic link", "chown -h"
	}
	owner, known := ownerOf(info)
	what := fmt.Sprintf("%s %s of %s, mode %s", kind, path, userText(owner), modeText(info.Mode()))
	if !known || !t.trusts(owner) {
		found = append(found, distrust{what, chown + " root " + shellWord(path)})
	}
	writable := info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSymlink == 0 // a link has no mode
	if writable && !(above && isShared(info)) {
		found = append(found, distrust{what + " (" + writers(info.Mode()) + " can write to it)", "chmod go-w " + shellWord(path)})
	}
	return found
}

func writers(mode fs.FileMode) string {
	switch mode.Perm() & 0o022 {
	case 0o020:
		return "its group"
	case 0o002:
		return "everybody but its group"
	}
	return "everybody"
}

func (t *Trust) trusts(uid int) bool { return uid == 0 || slices.Contains(t.owners(), uid) }

func (t *Trust) owners() []int {
	if t.Owners == nil {
		return []int{os.Geteuid()}
	}
	return t.Owners
}

// refuse makes one error of all reasons, or nil of none.
func (t *Trust) refuse(what string, all []distrust) *LoadError {
	if len(all) == 0 {
		return nil
	}
	who := []string{"root"}
	for _, uid := range t.owners() {
		if uid != 0 {
			who = append(who, userText(uid))
		}
	}
	e := &LoadError{Wanted: what + " that only " + strings.Join(who, " and ") + " can change, and so every directory above it"}
	var found, remedies []string
	for i, d := range all {
		if !slices.Contains(all[:i], d) { // a link may lead back
			found, remedies = append(found, d.found), append(remedies, d.remedy)
		}
	}
	e.Found, e.Remedy = strings.Join(found, "; "), strings.Join(remedies, " && ")
	return e
}

// userText names a user by number and, where there is one, by name.
func userText(uid int) string {
	if uid == 0 {
		return "root"
	}
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return fmt.Sprintf("user %s (%s)", id, u.Username)
	}
	return "user " + id
}

// modeText is a mode as chmod takes it.
func modeText(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&flag != 0 {
			bits |= bit
		}
	}
	return fmt.Sprintf("%04o", bits)
}

// shellWord makes a path a word for a shell.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("_-./:=@,+", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
