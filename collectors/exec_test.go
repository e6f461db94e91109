//go:build unix

package collectors

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestExecOutput(t *testing.T) {
	for _, c := range []struct{ command, want string }{
		{"echo 42", `exec{command="echo 42"}[value=42]`},
		{"echo -1.5e3", `exec{command="echo -1.5e3"}[value=-1500]`},
		{"echo open", `exec{command="echo open"}[value=open]`},
		{`printf '\n# nothing\nusers=3 load=0.5\nstate=up\n'`, `exec{command="printf '\\n# nothing\\nusers=3 load=0.5\\nstate=up\\n'"}[users=3 load=0.5 state=up]`},
		{"echo orders 17", "orders[value=17]"},
		{`echo 'queue{name="a } b\"c"} 4'`, `queue{name="a } b\"c"}[value=4]`},
		{`echo 'queue{ name="mail" } n=4 age=2'`, `queue{name="mail"}[n=4 age=2]`},
		{"echo a 1; echo b/c-d 2; echo a 3", "a[value=1] b/c-d[value=2] a[value=3]"},
		{`echo '{"topic":"orders","value":17}'`, "orders[value=17]"},
		{`echo '{"readings":[{"topic":"a","value":1},{"topic":"b","values":{"x":true}}]}'`, "a[value=1] b[x=true]"},
		{`printf '{"topic":"a","value":1}\n{"topic":"b","value":2}\n'`, "a[value=1] b[value=2]"},
		{`echo '{"x":1,"y":"up"}' #`, `exec{command="echo '{\"x\":1,\"y\":\"up\"}' #"}[x=1 y=up]`},
		{"true", ""},
		{"echo noise >&2", ""},
	} {
		e, err := NewExec(c.command)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(collect(t, t.Context(), e), " "); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.command, got, c.want)
		}
	}
}

func TestExecFails(t *testing.T) {
	for _, c := range []struct{ command, says string }{
		{`echo first >&2; printf 'no \033disk\n' >&2; exit 3`, `exit status 3: "no \x1bdisk"`},
		{"exit 7", "exit status 7"},
		{"kill -9 $$", "killed"},
		{"no-such-command-here", "exit status 127"},
		{"echo 1; echo 2", `the value "value" is given twice`},
		{"echo ok 1; echo 'q{a=\"b\" 1'", "line 2 of its output: the labels of"},
		{"echo 'q{a=b} 1'", "line 1"},
		{"echo 'orders NaN'", `the value "value" is "NaN"`},
		{"echo 'orders{a=\"b\"}'", "no value stands behind"},
		{"echo '[1,2]'", "its output"},
		{`echo '{"topic":"a b","value":1}'`, "reading 0 of its output"},
		{`echo '{"topic":"a","valeu":1}'`, "unknown field"},
		{"head -c 2000000 /dev/zero | tr '\\0' x", "more than 1048576 bytes"},
		{"yes 'a 1' | head -c 1000000", "more than 10000 readings"},
	} {
		e, err := NewExec(c.command)
		if err != nil {
			t.Fatal(err)
		}
		list, err := e.Collect(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.says) || len(list) > 0 {
			t.Errorf("%s: %v, %v; want %q", c.command, list, err, c.says)
		}
	}
	for _, bad := range []string{"", "  ", "a\nb", "a\x00", strings.Repeat("x", 2000)} {
		if _, err := NewExec(bad); err == nil {
			t.Errorf("the command %.20q was taken", bad)
		}
	}
}

// The end of its time ends everything that a command started.
func TestExecTimeout(t *testing.T) {
	alive := newHolder(t)
	// The inner sleep belongs to a shell in the background, which a kill of sh alone would leave.
	e, err := NewExec("exec 3>" + alive.path + "; (sleep 300 & echo begun >&3; wait) & wait")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := e.Collect(ctx)
		ended <- err
	}()
	alive.begins()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the collection ended with %v", err)
	}
	alive.ends()
}

// What a command leaves in the background does not hold the collection, and ends with it.
func TestExecBackground(t *testing.T) {
	alive := newHolder(t)
	e, err := NewExec("exec 3<>" + alive.path + "; echo begun >&3; sleep 300 & echo 5")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	got := make(chan []string, 1)
	go func() { got <- collect(t, t.Context(), e) }()
	alive.begins()
	if lines := <-got; len(lines) != 1 || !strings.HasSuffix(lines[0], "[value=5]") {
		t.Errorf("%q", lines)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	alive.ends()
}

// holder is a pipe with a name that the processes of a command hold open.
type holder struct {
	t    *testing.T
	path string
	read *os.File
	from *bufio.Reader
}

func newHolder(t *testing.T) *holder {
	h := &holder{t: t, path: filepath.Join(t.TempDir(), "alive")}
	if err := syscall.Mkfifo(h.path, 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// begins returns when the command has said so.
func (h *holder) begins() {
	h.t.Helper()
	var err error
	if h.read, err = os.Open(h.path); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = h.read.Close() })
	h.from = bufio.NewReader(h.read)
	if line, err := h.from.ReadString('\n'); err != nil || line != "begun\n" {
		h.t.Fatalf("the command said %q, %v", line, err)
	}
}

// ends returns when no process holds the pipe any more.
func (h *holder) ends() {
	h.t.Helper()
	if err := h.read.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		h.t.Fatal(err)
	}
	if rest, err := io.ReadAll(h.from); err != nil || len(rest) > 0 {
		h.t.Errorf("a process that the command started goes on: %q, %v", rest, err)
	}
}

// The settings of Readout hold secrets: the token of collect, the password of serve's store.
func TestExecKeepsTheSettingsToItself(t *testing.T) {
	for _, name := range []string{"READOUT_TOKEN", "READOUT_REDIS", "READOUT_COLLECT"} {
		t.Setenv(name, "secret")
		e, err := NewExec(`echo "setting_is ${` + name + `:-nothing}"`)
		if err != nil {
			t.Fatal(err)
		}
		if got := collect(t, t.Context(), e); len(got) != 1 || got[0] != "setting_is[value=nothing]" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
