package loader

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
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
	"sync"
	"time"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader/internal/trial"
)

// quarantine is a directory with a record for each driver file whose probe
// failed in a program. The program is known by its content, too: what failed may
// be the doing of its own packages, so that other programs and other builds of
// this one find out for themselves. Programs of one user share the directory.
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
	Program       string // its sha256
	Driver        string
	Version       string
	Wanted, Found string
	Limit         time.Duration // Config.ProbeTimeout
	Evidence      *ProbeError
}

// thisProgram returns the sha256 of the running program's file.
var thisProgram = sync.OnceValues(func() (string, error) {
	path, err := trial.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
})

// quarantineOf returns the quarantine beside a staged file.
func quarantineOf(staged string) quarantine {
	return quarantine(filepath.Join(filepath.Dir(staged), "quarantine"))
}

// file is where the record of a file and a program is.
func (q quarantine) file(sum, program string) string {
	return filepath.Join(string(q), sum+"-"+program+".json")
}

// files are the names of the records of a file, whichever program's.
func (q quarantine) files(sum string) ([]string, error) {
	entries, err := os.ReadDir(string(q))
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), sum+"-") && strings.HasSuffix(e.Name(), ".json") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

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

// recall returns the record of a file that counts for this program and for a
// time limit: not to end within a shorter one says nothing. A record that is
// missing, damaged or not trustworthy is none: then the file is tried again, in
// a child.
func (q quarantine) recall(sum string, limit time.Duration) (*record, bool) {
	if q.check() != nil {
		return nil, false
	}
	// Most files have none, and the program need not be read.
	if names, err := q.files(sum); err != nil || len(names) == 0 {
		return nil, false
	}
	program, err := thisProgram()
	if err != nil {
		return nil, false
	}
	r, ok := readRecord(q.file(sum, program))
	if !ok || r.SHA256 != sum || r.Program != program || r.Evidence == nil || r.Evidence.TimedOut && r.Limit < limit {
		return nil, false
	}
	return r, true
}

func readRecord(file string) (*record, bool) {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || onlyOurs(info) != nil {
		return nil, false
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRecord))
	var r record
	if err != nil || json.Unmarshal(text, &r) != nil {
		return nil, false
	}
	return &r, true
}

// again is the error for a file that is known to have failed.
func (r *record) again(q quarantine) *LoadError {
	remedy := "use another build of the driver"
	if r.Evidence.TimedOut {
		remedy += ", or raise loader.Config.ProbeTimeout"
	}
	return &LoadError{Stage: StageProbe, Wanted: r.Wanted,
		Found:  fmt.Sprintf("a file that failed on %s and is not tried again: %s", r.Evidence.When.Format(time.RFC3339), r.Found),
		Remedy: remedy + "; " + forgetting(q.file(r.SHA256, r.Program)), Err: r.Evidence}
}

func forgetting(file string) string {
	return "to have the file tried again: rm " + file + ", or loader.Loader.Forget"
}

// remember writes the record of a failure, as a whole or not at all, and
// returns its path.
func (q quarantine) remember(sum string, m contract.Manifest, limit time.Duration, failure *LoadError) (file string, err error) {
	program, err := thisProgram()
	if err != nil {
		return "", err
	}
	r := record{SHA256: sum, Program: program, Driver: m.Name, Version: m.Version,
		Wanted: failure.Wanted, Found: failure.Found, Limit: limit}
	r.Evidence, _ = errors.AsType[*ProbeError](failure)
	file = q.file(sum, program)
	if err := q.write(file, r); err != nil {
		return "", err
	}
	return file, q.bound(maxQuarantine)
}

func (q quarantine) write(file string, r record) error {
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
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
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

// Forget makes this program, and all others that share Config.CacheDir, try a
// driver file again whose probe failed. The file is named by its content: sha256
// in hex, as the record's name begins and "drivercheck inspect" has it. A file that is not remembered is no error.
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
	q := quarantineOf(filepath.Join(dir, "file"))
	names, err := q.files(sha256)
	for _, name := range names {
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			err = os.Remove(filepath.Join(string(q), name))
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("loader: forget: %w", err)
	}
	return nil
}
