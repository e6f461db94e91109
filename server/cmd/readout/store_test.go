package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"readout/server/embedded"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// cli runs the program and fails the test unless it ends with code.
func cli(t *testing.T, code int, stdin []byte, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(t.Context(), args, func(string) string { return "" }, bytes.NewReader(stdin), &out, &errs); got != code {
		t.Fatalf("readout %s: code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// fillStore stores some readings of every shape.
func fillStore(t *testing.T, o store.Options) {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var readings []reading.Reading
	for i := range 500 {
		topic := reading.Topic(fmt.Sprintf(`cpu{host="%d"}`, i%7))
		readings = append(readings, reading.Reading{Topic: topic, Time: 1_763_785_200_000 + int64(i), Values: []reading.Named{{Name: "value", Value: reading.NumberOf(float64(i) / 4)}}})
	}
	for some := 0; some < len(readings); some += 50 {
		if _, err := s.Append(t.Context(), readings[some:some+50], store.Once{Token: "t", Key: fmt.Sprint(some)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range readings[:20] {
		if _, err := s.Append(t.Context(), []reading.Reading{r}, store.Once{}); err != nil {
			t.Fatal(err)
		}
	}
}

// contents is what the streams of a store hold, and all its keys.
func contents(t *testing.T, o store.Options) string {
	t.Helper()
	var lines []string
	for words, err := range store.Dump(t.Context(), o, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if words[0] != "PEXPIREAT" && !strings.Contains(words[1], "probe") {
			lines = append(lines, fmt.Sprintf("%q", words))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestStoreMovesToARedisAndBack(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t)
	fillStore(t, store.Options{URL: redis.URL()})
	for _, command := range []string{"XADD back 1-1 value 1", "XADD back 5-1 value 5", "XDEL back 5-1", "XSETID back 2-1"} {
		redis.Do(strings.Fields(command)...)
	}
	dir := filepath.Join(t.TempDir(), "data")
	_, told := cli(t, 0, nil, "store", "import", "--data", dir, "--redis", redis.URL())
	if !strings.Contains(told, "Imported ") {
		t.Errorf("import says %q", told)
	}
	s, err := embedded.Start(embedded.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	want, got := contents(t, store.Options{URL: redis.URL()}), contents(t, store.Options{URL: embedded.URL, Dial: s.Dial})
	s.Close()
	if got != want {
		t.Errorf("a directory that was imported from a Redis holds\n%.3000s\nwant\n%.3000s", got, want)
	}

	file, _ := cli(t, 0, nil, "store", "export", "--data", dir)
	path := filepath.Join(t.TempDir(), "backup.aof")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again")
	cli(t, 0, nil, "store", "import", "--data", again, path)
	if second, _ := cli(t, 0, nil, "store", "export", "--data", again); len(second) != len(file) {
		t.Errorf("an export of an import has %d bytes, want %d", len(second), len(file))
	}
	if _, told := cli(t, 1, []byte(file), "store", "import", "--data", again); !strings.Contains(told, "holds a store already") {
		t.Errorf("a second import says %q", told)
	}
	if out, _ := cli(t, 0, nil, "store", "stats", "--data", again, "--streams", "3"); !strings.Contains(out, "and 5 more") || !strings.Contains(out, "ENTRIES") {
		t.Errorf("stats say\n%s", out)
	}
	if out, _ := cli(t, 0, nil, "store", "check", "--data", again); !strings.HasPrefix(out, "Whole: ") {
		t.Errorf("check says %q", out)
	}
}

func TestStoreCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{2, "say what to do", []string{"store"}},
		{2, "say where the store is", []string{"store", "check"}},
		{2, `no command "mend"`, []string{"store", "mend", "--data", dir}},
		{2, `unexpected "x"`, []string{"store", "stats", "x", "--data", dir}},
		{1, "readout.aof: no such file", []string{"store", "check", "--data", dir}},
		{1, "not from both", []string{"store", "import", "f", "--data", dir, "--redis", "redis://x"}},
	} {
		if _, told := cli(t, c.code, nil, c.args...); !strings.Contains(told, c.says) {
			t.Errorf("%v says %q, want %q", c.args, told, c.says)
		}
	}
	if out, _ := cli(t, 0, nil, "store", "--help"); !strings.Contains(out, "redis-cli --pipe") {
		t.Errorf("help: %s", out)
	}
}

func TestStoreCheckOfADamagedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := embedded.Start(embedded.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	fillStore(t, store.Options{URL: embedded.URL, Dial: s.Dial})
	s.Close()
	path := filepath.Join(dir, "readout.aof")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(file[len(file)/2:], []byte("\r\n*")) + len(file)/2 + 2
	file[at] = '#'
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	_, told := cli(t, 1, nil, "store", "check", "--data", dir)
	if !strings.Contains(told, "is damaged at byte") || !strings.Contains(told, "--cut") {
		t.Fatalf("check says %q", told)
	}
	cut := strings.Fields(told[strings.LastIndex(told, "--cut"):])[1]
	out, _ := cli(t, 0, nil, "store", "check", "--data", dir, "--cut", strings.TrimRight(cut, "`"))
	if !strings.Contains(out, "before-cut") || !strings.Contains(out, "Whole: ") {
		t.Errorf("after the cut check says %q", out)
	}
}
