//go:build linux

package isolate_test

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader"
)

// Two versions each of two drivers with large trees, assembly that names other
// packages in full among them, in one process: each tells a server its own
// version.
func TestLargeDriversTogether(t *testing.T) {
	if fixture.Host(t).Settings["-race"] == "true" {
		t.Skip("compiles four large drivers, which the run without -race does")
	}
	l, err := loader.New(loader.Config{CacheDir: t.TempDir()})
	require.NoError(t, err)
	drivers := []struct {
		name, version, dsn string
		said               func(hello []byte) string
		value              contract.Driver
	}{
		{name: "clickhouse", version: "2.40.3", dsn: "clickhouse://user@%s/db", said: clickHouseVersion},
		{name: "sqlserver", version: "1.9.8", dsn: "sqlserver://user@%s?database=db&encrypt=disable", said: sqlServerVersion},
		{name: "clickhouse", version: "2.50.0", dsn: "clickhouse://user@%s/db", said: clickHouseVersion},
		{name: "sqlserver", version: "1.11.2", dsn: "sqlserver://user@%s?database=db&encrypt=disable", said: sqlServerVersion},
	}
	for i := range drivers {
		d := &drivers[i]
		loaded, err := l.LoadFile(t.Context(), large(t, d.name, d.version))
		require.NoError(t, err)
		assert.Equal(t, d.version, loaded.Manifest.Version)
		d.value = loaded.Value
	}
	for _, d := range drivers {
		address, hello := listen(t)
		connector, err := d.value.OpenConnector(fmt.Sprintf(d.dsn, address))
		require.NoError(t, err)
		_, err = connector.Connect(t.Context())
		require.Error(t, err, "nobody answered")
		assert.Equal(t, d.version, d.said(<-hello), d.name)
	}
	assert.Empty(t, sql.Drivers())
}

// large builds a driver of testdata.
func large(t *testing.T, name, version string) string {
	files := map[string]string{
		"driver.json": fmt.Sprintf(`{"name": %q, "version": %q, "contract": {"name": "sql", "version": "^1.0"}}`, name, version),
	}
	for file, path := range map[string]string{
		"driver.go": "driver.go", "go.mod": filepath.Join(version, "go.mod"), "go.sum": filepath.Join(version, "go.sum"),
	} {
		text, err := os.ReadFile(filepath.Join("testdata", name, path))
		require.NoError(t, err)
		files[file] = string(text)
	}
	return fixture.Driver(t, fixture.Source{Name: name, Files: files})
}

// listen takes one connection, and hangs up after the first thing that the
// client says.
func listen(t *testing.T) (address string, hello <-chan []byte) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	said := make(chan []byte, 1)
	go func() {
		defer close(said)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		l.Close() // so that nobody tries again
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		buf := make([]byte, 4096)
		n, err := conn.Read(buf)
		if err != nil && err != io.EOF {
			return
		}
		said <- buf[:n]
	}()
	return l.Addr().String(), said
}

var clickHouseName = regexp.MustCompile(`clickhouse-go/([0-9.]+)`)

func clickHouseVersion(hello []byte) string {
	if m := clickHouseName.FindSubmatch(hello); m != nil {
		return string(m[1])
	}
	return ""
}

// sqlServerVersion reads the PRELOGIN message of MS-TDS, 2.2.6.5: behind a
// header of 8 bytes the place of the first option, which is the version.
func sqlServerVersion(hello []byte) string {
	const header = 8
	if len(hello) < header+5 || hello[header] != 0 {
		return ""
	}
	at := header + int(binary.BigEndian.Uint16(hello[header+1:]))
	if len(hello) < at+4 {
		return ""
	}
	v := binary.LittleEndian.Uint32(hello[at:])
	return fmt.Sprintf("%d.%d.%d", v>>24, v>>16&0xff, v&0xffff)
}
