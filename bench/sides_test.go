//go:build linux

package bench

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"plugin"
	"sync"
	"testing"

	"github.com/keyway-go/keyway/bench/remote"
	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/drivers/sqlite"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
)

// side is a way in which a program has its driver: always drivers/sqlite.
type side struct {
	name   string
	driver contract.Driver
	open   func(ctx context.Context, dsn string) (*sql.DB, error)
}

// The sides. README.md of this package calls them so, too.
const (
	linked     = "linked"     // imported, and opened with sql.OpenDB
	registered = "registered" // imported, and opened by Keyway
	byHand     = "plugin"     // a driver file, opened with package plugin and sql.OpenDB
	keyway     = "keyway"     // the same file, opened by Keyway
	grpc       = "grpc"       // imported by another process, behind hashicorp/go-plugin
)

// sides returns all of them. by hand and keyway are one plugin, since a process
// cannot load the same file twice: the private copy that Keyway has opened is
// opened again. So what differs between them is Keyway's.
func sides(t testing.TB) []side {
	t.Helper()
	mine, file, copied := throughRegister(t), throughFile(t), throughPlugin(t)
	apart, stop, err := remote.Start(exec.Command(os.Args[0]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return []side{
		direct(linked, sqlite.NewDriver()),
		mine,
		direct(byHand, copied),
		file,
		direct(grpc, apart),
	}
}

// direct is a side in which nothing stands between driver and database/sql.
func direct(name string, d contract.Driver) side {
	return side{name, d, func(_ context.Context, dsn string) (*sql.DB, error) {
		connector, err := d.OpenConnector(dsn)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(connector), nil
	}}
}

// through is a side with a loader.
func through(t testing.TB, name string, l *loader.SQL, fromFile bool) side {
	t.Helper()
	d, err := l.Load(t.Context(), "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	if d.Linked == fromFile {
		t.Fatalf("%s: the loader has taken the driver from %q", name, d.File)
	}
	return side{name, d.Value, func(ctx context.Context, dsn string) (*sql.DB, error) { return l.OpenDB(ctx, "sqlite", dsn) }}
}

var register = sync.OnceValue(func() error {
	return loader.Register("sqlite", sqlite.NewDriver, sqlite.DriverManifest)
})

func throughRegister(t testing.TB) side {
	t.Helper()
	if err := register(); err != nil {
		t.Fatal(err)
	}
	l, err := loader.New(loader.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return through(t, registered, l, false)
}

// cache is where Keyway's private copy lies as long as this process lives: the
// process keeps the driver, so another loader must find the same copy.
var cache = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "keyway-bench-") })

func throughFile(t testing.TB) side {
	t.Helper()
	return through(t, keyway, loaded(t), true)
}

// loaded returns a loader that has loaded the driver file. By its path, since
// of one version the driver in the program would be taken.
func loaded(t testing.TB) *loader.SQL {
	t.Helper()
	dir, err := cache()
	if err != nil {
		t.Fatal(err)
	}
	l, err := loader.New(loader.Config{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if _, err := l.LoadFile(t.Context(), fixture.SQLite(t)); err != nil {
		t.Fatal(err)
	}
	return l
}

// throughPlugin opens Keyway's private copy.
func throughPlugin(t testing.TB) contract.Driver {
	t.Helper()
	dir, err := cache()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.so"))
	if err != nil || len(files) != 1 {
		t.Fatalf("wanted one private copy in %s, found %q, %v", dir, files, err)
	}
	d, err := openByHand(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// openByHand is what a program does that uses package plugin itself.
func openByHand(file string) (contract.Driver, error) {
	p, err := plugin.Open(file)
	if err != nil {
		return nil, err
	}
	symbol, err := p.Lookup("NewDriver")
	if err != nil {
		return nil, err
	}
	newDriver, ok := symbol.(*func() contract.Driver)
	if !ok {
		return nil, fmt.Errorf("NewDriver is a %T", symbol)
	}
	return (*newDriver)(), nil
}
