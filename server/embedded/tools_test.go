package embedded_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"readout/server/embedded"
)

// What one directory exports another one and a Redis's own file can be imported.
func TestExportAndImport(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	first := start(t, embedded.Options{Data: from})
	p := dialEmbedded(t, first)
	for i := range 300 {
		p.ask("XADD", fmt.Sprint("s", i%3), "*", "t", fmt.Sprint(i))
	}
	p.ask("XTRIM", "s1", "MAXLEN", "7")
	p.ask("HSET", "h", "a", "1", "b", "2")
	p.ask("SET", "text", "x", "PX", "9000000")
	var file bytes.Buffer
	asked := 0
	keys, err := embedded.Export(from, &file, func(done, of int64) { asked++ }) // while the server runs
	if err != nil || keys != 5 || asked == 0 {
		t.Fatalf("%d keys, %v", keys, err)
	}
	second := start(t, embedded.Options{Data: to})
	if n, err := second.Import(bytes.NewReader(file.Bytes())); err != nil || n == 0 {
		t.Fatalf("%d commands, %v", n, err)
	}
	if want, got := fmt.Sprint(dump(p)), fmt.Sprint(dump(dialEmbedded(t, second))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	report, err := embedded.Check(to, nil)
	if err != nil || report.Keys != 5 || report.Whole != report.Bytes || len(report.Streams) != 3 || report.Entries != 207 {
		t.Errorf("%+v, %v", report, err)
	}
	if _, err := second.Import(strings.NewReader("*1\r\n$3\r\nBAD\r\n")); err == nil || !strings.Contains(err.Error(), "unknown command") {
		t.Errorf("a bad command: %v", err)
	}
	if _, err := second.Import(strings.NewReader("*2\r\n$3\r\nGET\r\n$3\r\nab")); err == nil {
		t.Error("half a command was imported")
	}
}

func TestCheckAndCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, embedded.Options{Data: dir})
	p := dialEmbedded(t, s)
	for i := range 10 {
		p.ask("SET", fmt.Sprint("k", i), "v")
	}
	s.Close()
	path := filepath.Join(dir, embedded.LogName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(whole, []byte("*3\r\n$3\r\nSET\r\n$2\r\nk5"))
	whole[at] = '?'
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := embedded.Check(dir, nil)
	var damaged *embedded.Damaged
	if !errors.As(err, &damaged) || report.Whole != int64(at) || report.Keys != 5 {
		t.Errorf("%+v, %v", report, err)
	}
	copied, err := embedded.Cut(dir, damaged.At)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(copied); err != nil || !bytes.Equal(kept, whole) {
		t.Errorf("the copy %s is another file: %v", copied, err)
	}
	if n := dialEmbedded(t, start(t, embedded.Options{Data: dir})).ask("DBSIZE"); n != int64(5) {
		t.Errorf("%v keys after the cut", n)
	}
}
