package views

import (
	"os/exec"
	"strings"
	"testing"

	"readout/server/reading"
)

func TestTopicPath(t *testing.T) {
	for topic, want := range map[string]string{
		`orders`:                          `/t/orders`,
		`disk/root`:                       `/t/disk/root`,
		`node:cpu.busy`:                   `/t/node:cpu.busy`,
		`orders{shop="berlin"}`:           `/t/orders%7Bshop%3D%22berlin%22%7D`,
		`a{path="/x y",q="it's",z="50%"}`: `/t/a%7Bpath%3D%22%2Fx%20y%22%2Cq%3D%22it%27s%22%2Cz%3D%2250%25%22%7D`,
	} {
		if got := TopicPath(mustTopic(t, topic)); got != want {
			t.Errorf("TopicPath(%s) = %s, want %s", topic, got, want)
		}
	}
}

// TestSnippetsInAShell lets a real shell split the lines that people copy: each
// must come out as the words that curl should get, whatever a sender put in.
func TestSnippetsInAShell(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	nasty := mustTopic(t, `orders{q="it's; $(id) \"x\" && `+"`id`"+`"}`)
	for _, c := range []struct {
		s    Series
		want []string
	}{
		{Series{Topic: "orders"}, []string{"-d", "42", "http://h/t/orders"}},
		{Series{Topic: nasty, Columns: []reading.Column{{Name: "value"}}, Rows: []Row{{1, []reading.Value{reading.TextOf("a'b $(id)")}}}},
			[]string{"-d", "a'b $(id)", "http://h" + pushPath(nasty)}},
		{Series{Topic: "door", Columns: []reading.Column{{Name: "value"}}, Rows: []Row{{1, []reading.Value{reading.TextOf("@/etc/passwd")}}}},
			[]string{"--data-raw", "@/etc/passwd", "http://h/t/door"}},
		{Series{Topic: "cpu", Columns: []reading.Column{{Name: "user"}, {Name: "mode"}}, Rows: []Row{{1, []reading.Value{reading.NumberOf(0.3), reading.TextOf("very busy")}}}},
			[]string{"-d", `user=0.3 mode="very busy"`, "http://h/t/cpu"}},
	} {
		line := sendSnippet("http://h", c.s).text()
		out, err := exec.Command(shell, "-c", `curl() { printf '%s\n' "$@"; }; `+line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"); strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s\n got %q\nwant %q", line, got, c.want)
		}
	}
}

func TestEmbedSnippetIsOneElement(t *testing.T) {
	topic := mustTopic(t, `a{q="'><script>alert(1)</script>&"}`)
	found := elements(t, embedSnippet("http://h", topic).text())
	if len(found) != 2 || found[0].name != "iframe" || found[1].name != "/iframe" {
		t.Errorf("the snippet holds %v", found)
	}
}
