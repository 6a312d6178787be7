package hotupdate

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// TestNeighbours writes one database by two drivers that are both SQLite, and
// opens and closes it all the time.
func TestNeighbours(t *testing.T) {
	noFilesUnderRace(t)
	for _, mode := range []string{"DELETE", "WAL"} {
		t.Run(mode, func(t *testing.T) {
			dir, names := t.TempDir(), []string{"sqlite", "sqlite3"}
			dsn := strings.Replace(sqliteDSN(t), "=WAL", "="+mode, 1)
			for _, name := range names {
				install(t, fixture.FirstParty(t, name), dir, name+".so")
			}
			drivers := newLoader(t, loader.Config{Dirs: []string{dir}})
			db, err := drivers.OpenDB(t.Context(), names[0], dsn)
			require.NoError(t, err)
			defer db.Close()
			_, err = db.Exec(`CREATE TABLE written (n INTEGER NOT NULL)`)
			require.NoError(t, err)
			const each, rows = 3, 100
			var wg sync.WaitGroup
			for _, name := range names {
				for range each {
					wg.Go(func() {
						db, err := drivers.OpenDB(t.Context(), name, dsn)
						if !assert.NoError(t, err) {
							return
						}
						defer db.Close()
						db.SetMaxIdleConns(-1)
						for range rows {
							_, err := db.Exec(`INSERT INTO written SELECT count(*) FROM written`)
							if !assert.NoError(t, err) {
								return
							}
						}
					})
				}
			}
			wg.Wait()
			var count, different int
			var integrity string
			require.NoError(t, db.QueryRow(`PRAGMA integrity_check`).Scan(&integrity))
			require.Equal(t, "ok", integrity)
			require.NoError(t, db.QueryRow(`SELECT count(*), count(DISTINCT n) FROM written`).Scan(&count, &different))
			want := len(names) * each * rows
			require.Equal(t, []int{want, want}, []int{count, different})
		})
	}
}
