package server_test

import (
	"strings"
	"testing"

	"readout/server"
	"readout/server/access"
)

func TestAnOpenServerListensOnThisMachineOnly(t *testing.T) {
	tokens, err := access.NewTokens(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address string
		o       server.Options
		refused bool
	}{
		{"127.0.0.1:8080", server.Options{}, false},
		{"localhost:8080", server.Options{}, false},
		{"[::1]:8080", server.Options{}, false},
		{"127.8.0.1:8080", server.Options{}, false},
		{":8080", server.Options{}, true},
		{"0.0.0.0:8080", server.Options{}, true},
		{"10.0.0.1:8080", server.Options{}, true},
		{"readout.example:8080", server.Options{}, true},
		{"8080", server.Options{}, true},
		{":8080", server.Options{Tokens: tokens}, false},
		{":8080", server.Options{InsecureOpen: true}, false},
	} {
		if err := c.o.CheckListen(c.address); (err != nil) != c.refused {
			t.Errorf("%s: %v", c.address, err)
		}
	}
}

func TestBadOptionsAreAllNamedAtOnce(t *testing.T) {
	o := server.Options{PublicURL: "readout.example", EmbedOrigins: []string{"https://a.example", "https://b.example; script-src *"}}
	err := o.Validate()
	if err == nil || !strings.Contains(err.Error(), `"readout.example"`) || !strings.Contains(err.Error(), "script-src") || strings.Contains(err.Error(), "a.example") {
		t.Errorf("got %v", err)
	}
	for _, url := range []string{"https://readout.example/path", "ftp://readout.example", "https://"} {
		o := server.Options{PublicURL: url}
		if o.Validate() == nil {
			t.Errorf("%s is accepted", url)
		}
	}
}
