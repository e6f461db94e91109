package servertest

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"readout/server/embedded"
)

// Embedded is the embedded store as a process of its own, on a free loopback
// port: harm can be done to it as to a RedisServer.
type Embedded struct {
	program
	Data string // the directory of its file; empty without one
}

const embeddedCommand = "serve-the-embedded-store"

// Main runs the tests of a package that starts an Embedded, whose process is the
// binary of these tests:
//
//	func TestMain(m *testing.M) { servertest.Main(m) }
func Main(m *testing.M) {
	if args := os.Args[1:]; len(args) == 5 && args[1] == embeddedCommand {
		if err := serveEmbedded(args[2], embedded.Options{Data: args[3], Sync: embedded.Sync(args[4])}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveEmbedded serves a store until there is nobody any more who could end it.
func serveEmbedded(address string, o embedded.Options) error {
	o.Logger = slog.New(slog.NewTextHandler(os.Stdout, nil))
	s, err := embedded.Start(o)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Listen(address); err != nil {
		return err
	}
	fmt.Println("Ready to accept connections")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// StartEmbedded starts an embedded store, which keeps its file in a directory
// unless that is empty, and waits until it answers. It ends with the test.
func StartEmbedded(tb testing.TB, data string, sync embedded.Sync) *Embedded {
	tb.Helper()
	s := &Embedded{program{tb: tb, name: "the embedded store"}, data}
	s.command = func(...string) *exec.Cmd {
		// Without Main the first word makes it a run of no test instead of one of all.
		c := exec.Command(os.Args[0], "-test.run=^$", embeddedCommand, s.Addr(), data, string(sync))
		c.Env = append(os.Environ(), "GORACE=halt_on_error=1")
		if _, err := c.StdinPipe(); err != nil { // its end tells the process that this one has ended
			tb.Fatal(err)
		}
		return c
	}
	s.startAnywhere()
	return s
}

// Crash kills it. Whatever it syncs, that takes nothing of what it has answered.
func (s *Embedded) Crash() { s.Kill() }
