package dashboard_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"readout/server/dashboard"
	"readout/server/reading"
)

func BenchmarkParse(b *testing.B) {
	source := read(b, "builtin/machine.yaml")
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dashboard.Parse("machine.yaml", source); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPoll is what a server pays four times a second while nothing changes.
func BenchmarkPoll(b *testing.B) {
	for _, files := range []int{20, 1000} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			dir := b.TempDir()
			old := time.Now().Add(-time.Hour)
			for i := range files {
				name := filepath.Join(dir, fmt.Sprintf("d%d.yaml", i))
				if err := os.WriteFile(name, []byte(document("Shop")), 0o600); err != nil {
					b.Fatal(err)
				}
				if err := os.Chtimes(name, old, old); err != nil {
					b.Fatal(err)
				}
			}
			library, err := dashboard.NewLibrary(dir, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				library.Reload()
			}
		})
	}
}

// BenchmarkMatch asks every panel of "This machine" about one topic.
func BenchmarkMatch(b *testing.B) {
	machine, err := dashboard.Parse("machine.yaml", read(b, "builtin/machine.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	topic, err := reading.ParseTopic(`nobody{shows="this"}`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if machine.Match(topic) {
			b.Fatal("shown")
		}
	}
}
