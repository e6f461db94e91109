package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"readout/server/embedded"
	"readout/server/store"
)

const storeHelp = `Usage: readout store COMMAND --data DIR [FLAGS]

What readout serve --data DIR keeps, as a file that Redis understands too.

  stats    what is in it: the streams that take most
  check    read all of it and say whether it is whole; --cut BYTE keeps what comes before
  export   write it to standard output as commands of Redis
  import   read such commands from FILE or standard input, or from a Redis with --redis

stats, check and export may run beside a server; import and --cut may not.

Examples:
  readout store stats --data /var/lib/readout
  readout store check --data /var/lib/readout

  # move to a Redis, and back
  readout store export --data /var/lib/readout | redis-cli --pipe
  readout store import --data /var/lib/readout --redis redis://localhost:6379

  # a copy of everything while the server runs
  readout store export --data /var/lib/readout > backup.aof
  readout store import --data /tmp/restored backup.aof

Flags:
`

// storeLine is the command line of store.
type storeLine struct {
	data, redis string
	cut         int64
	most        int
}

// runStore is the subcommand store.
func runStore(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	var line storeLine
	f := flag.NewFlagSet("readout store", flag.ContinueOnError)
	f.StringVar(&line.data, "data", getenv("READOUT_DATA"), "the `DIRECTORY` of the store; default READOUT_DATA")
	f.StringVar(&line.redis, "redis", "", "import from the Redis at this `URL`; it is only read")
	f.Int64Var(&line.cut, "cut", -1, "with check: keep what comes before this `BYTE`, and the file as it was beside it")
	f.IntVar(&line.most, "streams", 20, "with stats: how many streams to list")
	rest, code, ok := commandLine(f, storeHelp, args, stdout, stderr)
	if !ok {
		return code
	}
	if len(rest) == 0 {
		return wrongLine(f, stderr, errors.New("say what to do: stats, check, export or import"))
	}
	if line.data == "" {
		return wrongLine(f, stderr, errors.New("say where the store is with --data DIRECTORY"))
	}
	command, rest := rest[0], rest[1:]
	if len(rest) > 1 || len(rest) == 1 && command != "import" {
		return wrongLine(f, stderr, fmt.Errorf("unexpected %q", rest[len(rest)-1]))
	}
	var err error
	switch command {
	case "stats":
		err = storeStats(line, stdout, stderr)
	case "check":
		err = storeCheck(line, stdout, stderr)
	case "export":
		_, err = embedded.Export(line.data, stdout, percent(stderr, "read"))
	case "import":
		err = storeImport(ctx, line, rest, stdin, stderr)
	default:
		return wrongLine(f, stderr, fmt.Errorf("there is no command %q", command))
	}
	if err != nil {
		fmt.Fprintf(stderr, "readout store: %v\n", err)
		return 1
	}
	return 0
}

// percent shows how far a long read is, on one line, once it has taken a second.
func percent(stderr io.Writer, word string) embedded.Progress {
	begun := time.Now()
	shown := begun
	return func(done, of int64) {
		if now := time.Now(); of > 0 && now.Sub(begun) > time.Second && now.Sub(shown) > 200*time.Millisecond {
			shown = now
			fmt.Fprintf(stderr, "\r%s %d %% of %s ", word, 100*done/of, bytesText(of))
		} else if done == of && shown != begun {
			fmt.Fprint(stderr, "\r\033[K")
		}
	}
}

// bytesText prints a number of bytes with three digits.
func bytesText(n int64) string {
	units, f := []string{"B", "KB", "MB", "GB", "TB"}, float64(n)
	for f >= 1000 && len(units) > 1 {
		f, units = f/1000, units[1:]
	}
	return fmt.Sprintf("%.3g %s", f, units[0])
}

func storeStats(line storeLine, stdout, stderr io.Writer) error {
	r, err := embedded.Check(line.data, percent(stderr, "read"))
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s: %d keys, %d streams, %d entries\n", bytesText(r.Bytes), line.data, r.Keys, len(r.Streams), r.Entries)
	if len(r.Streams) > 0 {
		fmt.Fprintf(&b, "\n%12s %10s  %-20s %s\n", "ENTRIES", "MEMORY", "NEWEST", "KEY")
	}
	for i, s := range r.Streams {
		if i == line.most {
			fmt.Fprintf(&b, "and %d more; --streams %d lists all\n", len(r.Streams)-i, len(r.Streams))
			break
		}
		fmt.Fprintf(&b, "%12d %10s  %-20s %s\n", s.Entries, bytesText(int64(s.Bytes)), s.Last, s.Key)
	}
	_, err = io.WriteString(stdout, b.String())
	return err
}

func storeCheck(line storeLine, stdout, stderr io.Writer) error {
	if line.cut >= 0 {
		copied, err := embedded.Cut(line.data, line.cut)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "The file as it was is %s.\n", copied)
	}
	r, err := embedded.Check(line.data, percent(stderr, "read"))
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Whole: %s, %d commands, %d keys, %d streams with %d entries.\n", bytesText(r.Bytes), r.Commands, r.Keys, len(r.Streams), r.Entries)
	if r.Whole < r.Bytes {
		fmt.Fprintf(stdout, "The last %d bytes are what a crash left; the next start cuts them off.\n", r.Bytes-r.Whole)
	}
	return nil
}

func storeImport(ctx context.Context, line storeLine, files []string, stdin io.Reader, stderr io.Writer) error {
	if line.redis != "" && len(files) > 0 {
		return errors.New("import from a Redis or from a file, not from both")
	}
	s, err := embedded.Start(embedded.Options{Data: line.data})
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Stats().Keys > 0 {
		return fmt.Errorf("%s holds a store already; import into another directory", line.data)
	}
	from := stdin
	switch {
	case line.redis != "":
		from = dumped(ctx, line.redis, stderr)
	case len(files) == 1 && files[0] != "-":
		f, err := os.Open(files[0])
		if err != nil {
			return err
		}
		defer f.Close()
		from = f
	}
	n, err := s.Import(from)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "\r\033[KImported %d commands: %d keys.\n", n, s.Stats().Keys)
	return nil
}

// dumped is what a Redis holds, as a file.
func dumped(ctx context.Context, url string, stderr io.Writer) io.Reader {
	read, write := io.Pipe()
	go func() { // ends with its reader, whose error ends the writes
		shown := time.Now()
		var b []byte
		for words, err := range store.Dump(ctx, store.Options{URL: url}, func(keys int) {
			if time.Since(shown) > 200*time.Millisecond {
				shown = time.Now()
				fmt.Fprintf(stderr, "\r%d keys ", keys)
			}
		}) {
			if err != nil {
				_ = write.CloseWithError(err)
				return
			}
			b = embedded.AppendCommand(b[:0], words...)
			if _, err := write.Write(b); err != nil {
				return
			}
		}
		_ = write.Close()
	}()
	return read
}
