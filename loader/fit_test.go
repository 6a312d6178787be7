//go:build linux

package loader

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyway-go/keyway/internal/fixture"
	"github.com/keyway-go/keyway/loader/inspect"
)

// Who asks drivercheck inspect with the program on disk gets the reasons that
// the program's loader has.
func TestLoadErrorSaysWhatInspectSays(t *testing.T) {
	source := fixture.Plain("misfitting", fixture.Manifest("misfitting", "1.0.0"),
		"// static int answer(void) { return 1; }\nimport \"C\"\n\nfunc NewDriver() int { return int(C.answer()) }")
	source.Env = []string{"CGO_LDFLAGS=-Wl,-Bsymbolic"}
	if inspectSelf(t).Settings["-trimpath"] == "true" {
		source.Args = []string{"-trimpath=false"}
	} else {
		source.Args = []string{"-trimpath"}
	}
	file := fixture.Build(t, source)
	_, err := newLoader(t, Config{}).LoadFile(t.Context(), file)
	le := refused(t, err, StageFit)

	driver, err := inspect.ReadFile(file)
	require.NoError(t, err)
	program, err := os.Executable()
	require.NoError(t, err)
	host, err := inspect.ReadHost(program)
	require.NoError(t, err)
	misfits := inspect.FitIn(driver, host, inspect.Place{Machine: inspect.ThisMachine()})
	require.Len(t, misfits, 2)
	require.Equal(t, misfits, le.Misfits)
	require.Equal(t, misfits[0].Remedy, le.Remedy)
}

func inspectSelf(t *testing.T) *inspect.Facts {
	t.Helper()
	host, err := inspect.Self()
	require.NoError(t, err)
	return host
}

// A library that is not there is told before any code of the file runs, and one
// beside the driver file is not there for the copy that is opened.
func TestLoadMissingLibrary(t *testing.T) {
	library := fixture.CLibrary(t)
	source := fixture.Plain("beside", fixture.Manifest("beside", "1.0.0"),
		"// int answer(void);\nimport \"C\"\n\nfunc init() { panic(C.answer()) }\n\nfunc NewDriver() int { return 0 }")
	source.Env = []string{"CGO_LDFLAGS=-L" + filepath.Dir(library) + " -l:" + filepath.Base(library) + " -Wl,-rpath,$ORIGIN"}
	_, err := newLoader(t, Config{}).LoadFile(t.Context(), fixture.Build(t, source))
	le := refused(t, err, StageFit)
	require.Equal(t, inspect.KindLibrary, le.Misfits[0].Kind)
	require.Contains(t, le.Found, "$ORIGIN does not help")
	require.Contains(t, le.Remedy, "LD_LIBRARY_PATH")
}

// A second driver with C functions of the same names would run those of the
// first.
func TestLoadSameCFunctions(t *testing.T) {
	file := func(name, answer string) string {
		return fixture.Build(t, fixture.Plain(name, fixture.Manifest(name, "1.0.0"),
			"// int keyway_fit_answer(void) { return "+answer+"; }\nimport \"C\"\n\nfunc init() { C.keyway_fit_answer() }\n\nfunc NewDriver() int { return 0 }"))
	}
	first := file("cfirst", "1")
	facts, err := inspect.ReadFile(first)
	require.NoError(t, err)
	require.Equal(t, []string{"keyway_fit_answer"}, facts.CFunctions)
	_, err = newLoader(t, Config{}).LoadFile(t.Context(), first)
	refused(t, err, StageBind) // but it is in the process now
	_, err = newLoader(t, Config{}).LoadFile(t.Context(), file("csecond", "2"))
	le := refused(t, err, StageFit)
	require.Equal(t, inspect.KindCFunctions, le.Misfits[0].Kind)
	require.Contains(t, le.Found, first)
	require.Contains(t, le.Remedy, "drivercheck build DIR")
	_, err = newLoader(t, Config{}).LoadFile(t.Context(), first)
	refused(t, err, StageBind)
}

// Each kind is said so that wanted and found make sense.
func TestMisfitInWords(t *testing.T) {
	for kind, want := range map[inspect.Kind][2]string{
		inspect.KindSetting:        {"S H, as in this program", "D in the driver file (C)"},
		inspect.KindBuildMode:      {"S H", "D in the driver file (C)"},
		inspect.KindHost:           {"a program that can load plugins", "H in this program (C)"},
		inspect.KindLibrary:        {"S, D", "H on this machine (C)"},
		inspect.KindLibraryVersion: {"D of S", "at most H on this machine (C)"},
		inspect.KindCFunctions:     {"C functions that are not loaded yet", "H (C)"},
		inspect.KindLoaded:         {"S not in use", "H (C)"},
		inspect.KindToolchain:      {"a Go release in which several plugins work", "H (C)"},
		inspect.KindSymbolic:       {"S H, as in this program", "D in the driver file (C)"},
	} {
		wanted, found := inWords(inspect.Misfit{Kind: kind, Subject: "S", Host: "H", Driver: "D", Cause: "C"})
		require.Equal(t, want, [2]string{wanted, found}, kind)
	}
	wanted, found := inWords(inspect.Misfit{Kind: inspect.KindLibrary, Subject: "lib.so", Driver: "needed", Cause: "C"})
	require.Equal(t, [2]string{"lib.so, needed", "none on this machine (C)"}, [2]string{wanted, found})
}
