package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/conformance/conformancetest"
	"github.com/keyway-go/keyway/examples/owncontract/codec"
	"github.com/keyway-go/keyway/examples/owncontract/drivers/zstd"
	"github.com/keyway-go/keyway/loader"
)

// The test binary is the program, too: driver files are built for it.
func TestMain(m *testing.M) {
	if os.Getenv("PRESS_MAIN") != "" {
		main()
		os.Exit(0)
	}
	conformancetest.Main(m)
}

// press runs the program.
func press(t *testing.T, stdin []byte, args ...string) (code int, stdout []byte, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "PRESS_MAIN=1")
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.Bytes(), errs.String()
	}
	require.NoError(t, err)
	return 0, out.Bytes(), errs.String()
}

var plain = bytes.Repeat([]byte("the same again, "), 5000)

// There and back, and smaller on the way.
func thereAndBack(t *testing.T, args ...string) (packed []byte) {
	t.Helper()
	code, packed, stderr := press(t, plain, args...)
	require.Equal(t, 0, code, stderr)
	assert.Less(t, len(packed), len(plain)/10)
	code, back, stderr := press(t, packed, append(args, "-d")...)
	require.Equal(t, 0, code, stderr)
	assert.True(t, bytes.Equal(plain, back), "%d bytes came back", len(back))
	return packed
}

func TestPartOfTheProgram(t *testing.T) {
	assert.True(t, bytes.HasPrefix(thereAndBack(t), []byte{0x1f, 0x8b}), "it is no gzip")
	code, out, _ := press(t, nil, "--list")
	assert.Equal(t, 0, code)
	assert.Equal(t, "gzip\t1.0.0\tdiscovered\tpart of the program\n", string(out))
}

func TestDriverFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Rename(conformancetest.Build(t, filepath.Join("..", "drivers", "zstd")), filepath.Join(dir, "zstd-v1.0.0.so")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "brotli.so"), []byte("not yet"), 0o600))

	packed := thereAndBack(t, "--drivers", dir, "--codec", "zstd")
	assert.True(t, bytes.HasPrefix(packed, []byte{0x28, 0xb5, 0x2f, 0xfd}), "it is no zstd")
	thereAndBack(t, "--drivers", dir, "--codec", "gzip")
	thereAndBack(t, "--drivers", dir, "--codec", "zstd", "--level", "4")

	code, _, stderr := press(t, plain, "--drivers", dir, "--codec", "zstd", "--level", "99")
	assert.Equal(t, 1, code)
	assert.Equal(t, "press: unknown encoder level\n", stderr)
	code, _, stderr = press(t, packed[:len(packed)-1], "--drivers", dir, "--codec", "zstd", "-d")
	assert.Equal(t, 1, code)
	assert.Equal(t, "press: unexpected EOF\n", stderr)

	code, out, _ := press(t, nil, "--drivers", dir, "--list")
	assert.Equal(t, 0, code)
	lines := strings.Split(string(out), "\n")
	assert.Regexp(t, `^brotli\t\tfailed\t.*brotli.so: load driver brotli `, lines[0])
	assert.Equal(t, []string{"gzip\t1.0.0\tdiscovered\tpart of the program", "zstd\t1.0.0\tdiscovered\t" + filepath.Join(dir, "zstd-v1.0.0.so"), ""}, lines[1:])
	code, _, stderr = press(t, plain, "--drivers", dir, "--codec", "brotli")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "brotli")
}

func TestUnknownCodec(t *testing.T) {
	code, out, stderr := press(t, plain, "--codec", "lzw")
	assert.Equal(t, 1, code)
	assert.Empty(t, out)
	assert.Contains(t, stderr, "wanted a driver lzw")
	assert.Contains(t, stderr, "in the program only gzip")
}

func TestHelp(t *testing.T) {
	code, _, stderr := press(t, nil, "--help")
	assert.Equal(t, 0, code)
	assert.Contains(t, stderr, "of driver files")
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{{"--nonsense"}, {"file"}, {"--level", "high"}} {
		code, _, stderr := press(t, nil, args...)
		assert.Equal(t, 2, code, args)
		assert.NotEmpty(t, stderr, args)
	}
}

// The driver's package that was built as a file can be linked in instead.
func TestRegister(t *testing.T) {
	require.NoError(t, loader.Register("zstd", zstd.NewDriver, zstd.DriverManifest))
	codecs, err := loader.For(codec.Contract, loader.Config{})
	require.NoError(t, err)
	defer codecs.Close()
	d, err := codecs.Load(t.Context(), "zstd")
	require.NoError(t, err)
	assert.True(t, d.Linked)
	var packed, back bytes.Buffer
	require.NoError(t, compress(d.Value, options{}, bytes.NewReader(plain), &packed))
	require.NoError(t, decompress(d.Value, &packed, &back))
	assert.True(t, bytes.Equal(plain, back.Bytes()))
}
