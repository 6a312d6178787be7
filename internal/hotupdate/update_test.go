package hotupdate

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/drivers/postgres"
	"github.com/keyway-go/keyway/drivers/sqlite"
	"github.com/keyway-go/keyway/internal/dbserver"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// subject is a driver with a database, and a pool of a size; 0 is unlimited.
type subject struct {
	name     string
	dsn      func(t *testing.T) string
	pool     int
	numbered bool
}

var subjects = []subject{
	{name: "sqlite", dsn: sqliteDSN, pool: 12},
	{name: "postgres", dsn: postgresDSN, numbered: true},
}

// inFiles are subjects that are not part of the test: the C code of two versions
// takes long enough to build.
var inFiles = []subject{
	{name: "sqlite3", dsn: sqliteDSN, pool: 12},
}

// sqliteDSN is a database in which a call waits for others, and readers do not.
// Both drivers for SQLite understand it.
func sqliteDSN(t *testing.T) string {
	return "file:" + filepath.Join(t.TempDir(), "test.db") + "?_busy_timeout=30000&_journal_mode=WAL&_synchronous=OFF&_txlock=immediate"
}

// postgresDSN is a schema of its own in the server that all tests share.
func postgresDSN(t *testing.T) string {
	server := dbserver.Shared(t, dbserver.Postgres)
	connector, err := postgres.NewDriver().OpenConnector(server.SocketDSN)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	defer db.Close()
	schema := fmt.Sprintf("hot%d", time.Now().UnixNano())
	_, err = db.Exec("CREATE SCHEMA " + schema)
	require.NoError(t, err)
	return server.SocketDSN + " search_path=" + schema
}

// updater changes the current version of a driver.
type updater struct {
	t       *testing.T
	drivers *loader.SQL
	name    string
}

func (u updater) current() string {
	d, ok := u.drivers.Driver(u.name)
	require.True(u.t, ok)
	return d.Manifest.Version
}

func (u updater) pin(version string) {
	_, err := u.drivers.Pin(u.t.Context(), u.name, version)
	require.NoError(u.t, err)
	require.Equal(u.t, version, u.current())
}

func (u updater) rollback(to string) {
	d, err := u.drivers.Rollback(u.t.Context(), u.name)
	require.NoError(u.t, err)
	require.Equal(u.t, to, d.Manifest.Version)
}

func (u updater) refresh(from, to string) {
	changes, err := u.drivers.Refresh(u.t.Context())
	require.NoError(u.t, err)
	require.Equal(u.t, []loader.Change{{Name: u.name, From: from, To: to}}, changes)
}

// drained checks that only the current version has connections, before long.
func (u updater) drained() {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(u.t, u.drivers.Drain(ctx), "%+v", u.drivers.Drivers())
	for _, s := range u.drivers.Drivers() {
		if s.State != loader.Current {
			require.Zero(u.t, s.Connections, "%+v", s)
			require.NotEqual(u.t, loader.Retiring, s.State, "%+v", s)
		}
	}
}

// TestFiles updates a driver in files: one version by a new file, and then to
// and fro between the two.
func TestFiles(t *testing.T) {
	noFilesUnderRace(t)
	for _, s := range slices.Concat(subjects, inFiles) {
		t.Run(s.name, func(t *testing.T) {
			files := versionsOf(t, s.name)
			dir := t.TempDir()
			install(t, files["1.0.0"], dir, s.name+"-v1.0.0.so")
			drivers := newLoader(t, loader.Config{Dirs: []string{dir}, Versions: map[string]string{s.name: "^1"}})
			u := updater{t, drivers, s.name}
			updates := []func(){
				func() {
					install(t, files["1.1.0"], dir, s.name+"-v1.1.0.so")
					u.refresh("1.0.0", "1.1.0")
				},
				func() { u.rollback("1.0.0") },
			}
			for len(updates) < 18 {
				updates = append(updates,
					func() { u.pin("1.1.0") }, func() { u.rollback("1.0.0") },
					func() { u.pin("1.1.0") }, func() { u.pin("1.0.0") })
			}
			updates = append(updates, func() {
				drivers.Unpin(s.name)
				require.Equal(t, "1.0.0", u.current())
				u.refresh("1.0.0", "1.1.0")
			}, func() { u.rollback("1.0.0") })
			underLoad(t, s, u, updates)
		})
	}
}

// TestLinked updates a driver that is part of the program: to versions that are
// registered meanwhile, and to and fro.
func TestLinked(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			first := register(t, s.name)
			drivers := newLoader(t, loader.Config{})
			u := updater{t, drivers, s.name}
			var updates []func()
			for len(updates) < 20 {
				updates = append(updates, func() {
					from := u.current()
					u.refresh(from, register(t, s.name))
				}, func() { u.rollback(first) })
			}
			underLoad(t, s, u, updates)
		})
	}
}

// underLoad makes twenty updates while an application works.
func underLoad(t *testing.T, s subject, u updater, updates []func()) {
	require.Len(t, updates, 20)
	db, err := u.drivers.OpenDB(t.Context(), s.name, s.dsn(t))
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(s.pool)
	db.SetMaxIdleConns(16)
	l := newLoad(t, db, s.numbered)
	warmUp := 4
	l.some(t, u, updates[:warmUp])
	before := used(db)
	l.some(t, u, updates[warmUp:])
	after := used(db)
	t.Logf("%d jobs, writers %d %d %d %d, used %+v and then %+v", l.calls.Load(),
		l.written[0].Load(), l.written[1].Load(), l.written[2].Load(), l.written[3].Load(), before, after)
	l.nothingLost(t)
	// One that stays for each update would be 16 more.
	const few = 4
	require.LessOrEqual(t, after.goroutines, before.goroutines+few)
	require.LessOrEqual(t, after.descriptors, before.descriptors+few)
	require.NoError(t, db.Close())
	require.NoError(t, u.drivers.Close())
	u.drained()
}

// some makes updates under load.
func (l *load) some(t *testing.T, u updater, updates []func()) {
	t.Helper()
	l.begin(t)
	for _, update := range updates {
		time.Sleep(50 * time.Millisecond)
		from := u.current()
		update()
		require.NotEqual(t, from, u.current())
		u.drained()
		if l.failed() {
			break
		}
	}
	time.Sleep(20 * time.Millisecond)
	l.end(t)
}

// resources are what the process uses.
type resources struct{ goroutines, descriptors int }

// used tells what the process uses when the database has no connection.
func used(db *sql.DB) (least resources) {
	db.SetMaxIdleConns(-1)
	defer db.SetMaxIdleConns(16)
	for range 20 {
		time.Sleep(25 * time.Millisecond)
		fds, _ := os.ReadDir("/proc/self/fd")
		now := resources{runtime.NumGoroutine(), len(fds)}
		if least.goroutines == 0 || now.goroutines < least.goroutines {
			least.goroutines = now.goroutines
		}
		if least.descriptors == 0 || now.descriptors < least.descriptors {
			least.descriptors = now.descriptors
		}
	}
	return least
}

func newLoader(t *testing.T, cfg loader.Config) *loader.SQL {
	t.Helper()
	cfg.CacheDir = filepath.Join(t.TempDir(), "staged")
	l, err := loader.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// versionsOf returns the driver files of a driver by their version. They stand
// on different versions of the upstream driver.
func versionsOf(t *testing.T, name string) map[string]string {
	t.Helper()
	upstream := map[string][]string{
		"sqlite":   {"modernc.org/sqlite@v1.59.0", "modernc.org/libc@v1.75.7"}, // which go together
		"sqlite3":  {"github.com/mattn/go-sqlite3@v1.14.24"},
		"postgres": {"github.com/jackc/pgx/v5@v5.9.2"},
	}
	return map[string]string{
		"1.0.0": fixture.FirstParty(t, name),
		"1.1.0": fixture.FirstPartyAs(t, name, "1.1.0", upstream[name]...),
	}
}

// install puts a driver file into a directory by renaming.
func install(t *testing.T, file, dir, name string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	half := filepath.Join(dir, name+".new")
	require.NoError(t, os.WriteFile(half, text, 0o600))
	require.NoError(t, os.Rename(half, filepath.Join(dir, name)))
}

var registered = map[string]int{}

// register makes the linked-in driver known as a version that is higher than
// all before, and returns it.
func register(t *testing.T, name string) string {
	t.Helper()
	newDriver := map[string]func() contract.Driver{"sqlite": sqlite.NewDriver, "postgres": postgres.NewDriver,
		"nothing": func() contract.Driver { return new(nothing) }}[name]
	version := fmt.Sprintf("2.%d.0", registered[name])
	registered[name]++
	manifest := fmt.Sprintf(`{"name":%q,"version":%q,"contract":{"name":"sql","version":"^1.0"}}`, name, version)
	require.NoError(t, loader.Register(name, newDriver, manifest))
	return version
}

// TestIdle updates a driver of which nobody uses the connections.
func TestIdle(t *testing.T) {
	versions := []string{register(t, "sqlite"), register(t, "sqlite")}
	drivers := newLoader(t, loader.Config{})
	u := updater{t, drivers, "sqlite"}
	db, err := drivers.OpenDB(t.Context(), "sqlite", sqliteDSN(t))
	require.NoError(t, err)
	defer db.Close()
	const many = 8
	db.SetMaxIdleConns(many)
	for range 2 {
		var conns []*sql.Conn
		for range many {
			c, err := db.Conn(t.Context())
			require.NoError(t, err)
			conns = append(conns, c)
		}
		for _, c := range conns {
			require.NoError(t, c.Close())
		}
		require.Equal(t, many, db.Stats().Idle)
		to := versions[0]
		if u.current() == to {
			to = versions[1]
		}
		u.pin(to)
		u.drained()
		require.Zero(t, db.Stats().OpenConnections)
	}
}

// TestArguments gives a driver what only its own NamedValueChecker understands.
func TestArguments(t *testing.T) {
	register(t, "postgres")
	db, err := newLoader(t, loader.Config{}).OpenDB(t.Context(), "postgres", postgresDSN(t))
	require.NoError(t, err)
	defer db.Close()
	var found bool
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT 2 = ANY($1::int[])`, []int32{1, 2}).Scan(&found))
	require.True(t, found)
}
