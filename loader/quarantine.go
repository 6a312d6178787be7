package loader

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/keyway-go/keyway/contract"
)

// quarantine is a directory with a record for each driver file whose probe
// failed, by the hash of its content. Programs of one user share it.
type quarantine string

// maxQuarantine bounds the records. The oldest go first: a file that is tried
// again because of that fails in a child again.
const maxQuarantine = 256

// maxRecord bounds a record in bytes; what is written is smaller, even if JSON
// spells every byte of the evidence as "\u0001".
const maxRecord = 256 << 10

// record is what is remembered of a file.
type record struct {
	SHA256        string
	Driver        string
	Version       string
	Wanted, Found string
	Evidence      *ProbeError
}

// quarantineOf returns the quarantine beside a staged file.
func quarantineOf(staged string) quarantine {
	return quarantine(filepath.Join(filepath.Dir(staged), "quarantine"))
}

func (q quarantine) file(sum string) string { return filepath.Join(string(q), sum+".json") }

// check returns an error unless only this user can write to the directory.
func (q quarantine) check() error {
	info, err := os.Lstat(string(q))
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", string(q))
	}
	if err := onlyOurs(info); err != nil {
		return fmt.Errorf("%s: %w", string(q), err)
	}
	return nil
}

// recall returns the record of a file. One that is missing, damaged or not
// trustworthy is none: then the file is tried again, in a child.
func (q quarantine) recall(sum string) (*record, bool) {
	if q.check() != nil {
		return nil, false
	}
	info, err := os.Lstat(q.file(sum))
	if err != nil || !info.Mode().IsRegular() || onlyOurs(info) != nil {
		return nil, false
	}
	f, err := os.Open(q.file(sum))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRecord))
	var r record
	if err != nil || json.Unmarshal(text, &r) != nil || r.SHA256 != sum || r.Evidence == nil {
		return nil, false
	}
	return &r, true
}

// again is the error for a file that is known to have failed.
func (r *record) again(file string) *LoadError {
	return &LoadError{Stage: StageProbe, Wanted: r.Wanted,
		Found:  fmt.Sprintf("a file that failed on %s and is not tried again: %s", r.Evidence.When.Format(time.RFC3339), r.Found),
		Remedy: "use another build of the driver; " + forgetting(file), Err: r.Evidence}
}

func forgetting(file string) string {
	return "to have the file tried again: rm " + file + ", or loader.Loader.Forget"
}

// remember writes the record of a failure, as a whole or not at all.
func (q quarantine) remember(sum string, m contract.Manifest, failure *LoadError) error {
	r := record{SHA256: sum, Driver: m.Name, Version: m.Version, Wanted: failure.Wanted, Found: failure.Found}
	r.Evidence, _ = errors.AsType[*ProbeError](failure)
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(q), 0o700); err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	f, err := os.CreateTemp(string(q), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), q.file(sum))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return q.bound(maxQuarantine)
}

// bound removes the oldest records until there are no more than a number, and
// what a process that ended has left half written.
func (q quarantine) bound(most int) error {
	entries, err := os.ReadDir(string(q))
	if err != nil {
		return err
	}
	var records []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil: // another process has removed it
		case strings.HasPrefix(e.Name(), ".new-") && time.Since(info.ModTime()) > time.Hour:
			_ = os.Remove(filepath.Join(string(q), e.Name()))
		case strings.HasSuffix(e.Name(), ".json"):
			records = append(records, info)
		}
	}
	slices.SortFunc(records, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, old := range records[:max(0, len(records)-most)] {
		if err := os.Remove(filepath.Join(string(q), old.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

var sumPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Forget makes the loader try a driver file again whose probe failed. The file
// is named by its content: sha256 in hex, as the record's name and
// "drivercheck inspect" have it. A file that is not remembered is no error.
// What failed in this process after its probe stays failed, as the runtime
// cannot open it again.
func (l *Loader[D]) Forget(sha256 string) error {
	if !sumPattern.MatchString(sha256) {
		return fmt.Errorf("loader: forget: %.80q is not a sha256 in hex", sha256)
	}
	dir, err := cacheDir(l.cfg.CacheDir)
	if err != nil {
		return fmt.Errorf("loader: forget: %w; %s", err, noCacheDir)
	}
	err = os.Remove(quarantineOf(filepath.Join(dir, "file")).file(sha256))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("loader: forget: %w", err)
	}
	return nil
}
