// Command press compresses and decompresses with codecs that it was compiled
// without. gzip is part of it; every other codec is a driver file of the codec
// contract, found by its name at run time.
//
//	press --drivers DIR --codec zstd <notes.txt >notes.zst
//	press --drivers DIR --codec zstd -d <notes.zst
//	press --drivers DIR --list
//
// A driver file must have been built for this program:
//
//	drivercheck build --host ./press ./examples/owncontract/drivers/zstd
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/keyway-go/keyway/examples/owncontract/codec"
	"github.com/keyway-go/keyway/examples/owncontract/drivers/gzip"
	"github.com/keyway-go/keyway/loader"
	// With it a file that crashes when it is loaded is an error.
	_ "github.com/keyway-go/keyway/loader/probe"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "press:", err)
		os.Exit(1)
	}
}

// errUsage is a wrong call, of which package flag has told already.
var errUsage = errors.New("wrong usage")

type options struct {
	codec, drivers   string
	level            int
	decompress, list bool
	levelIsSet       bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("press", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.codec, "codec", "gzip", "the codec's `name`")
	flags.StringVar(&o.drivers, "drivers", "", "the `directory` of driver files")
	flags.IntVar(&o.level, "level", 0, "how hard to compress, for codecs that have levels (default: the codec's own)")
	flags.BoolVar(&o.decompress, "d", false, "decompress")
	flags.BoolVar(&o.list, "list", false, "list the codecs that there are")
	if err := flags.Parse(args); err != nil {
		return o, errors.Join(errUsage, err)
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "press: standard input is compressed to standard output; there is no argument such as %q\n", flags.Arg(0))
		return o, errUsage
	}
	flags.Visit(func(f *flag.Flag) { o.levelIsSet = o.levelIsSet || f.Name == "level" })
	return o, nil
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	codecs, err := open(o.drivers)
	if err != nil {
		return err
	}
	defer codecs.Close()
	if o.list {
		return list(stdout, codecs)
	}
	d, err := codecs.Load(ctx, o.codec)
	if err != nil {
		return err
	}
	if o.decompress {
		return decompress(d.Value, stdin, stdout)
	}
	return compress(d.Value, o, stdin, stdout)
}

// open returns a loader that knows the codec of the program and those in dir,
// which may be "".
func open(dir string) (*loader.Loader[codec.Driver], error) {
	// The package is the same that can be built as a driver file.
	if err := loader.Register("gzip", gzip.NewDriver, gzip.DriverManifest); err != nil {
		return nil, err
	}
	var cfg loader.Config
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		cfg.Dirs, cfg.Probe = []string{abs}, true
	}
	return loader.For(codec.Contract, cfg)
}

func list(w io.Writer, codecs *loader.Loader[codec.Driver]) error {
	for _, s := range codecs.Drivers() {
		where := s.File
		if s.Linked {
			where = "part of the program"
		}
		if s.Err != nil {
			where += ": " + s.Err.Error()
		}
		if _, err := fmt.Fprintln(w, strings.Join([]string{s.Name, s.Version, string(s.State), where}, "\t")); err != nil {
			return err
		}
	}
	return nil
}

func compress(d codec.Driver, o options, src io.Reader, dst io.Writer) error {
	newWriter := d.NewWriter
	if o.levelIsSet {
		l, ok := d.(codec.Leveler)
		if !ok {
			return fmt.Errorf("codec %s has no levels; leave out --level", o.codec)
		}
		newWriter = func(dst io.Writer) (io.WriteCloser, error) { return l.NewWriterLevel(dst, o.level) }
	}
	w, err := newWriter(dst)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, src)
	return errors.Join(err, w.Close())
}

func decompress(d codec.Driver, src io.Reader, dst io.Writer) error {
	r, err := d.NewReader(src)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, r)
	return errors.Join(err, r.Close())
}
