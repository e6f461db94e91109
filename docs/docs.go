// Package docs is the manual: the Markdown of this directory, which reads the
// same on a code forge and at /docs of a running server.
package docs

import "embed"

//go:embed *.md openapi.yaml
var files embed.FS

// Page is one page of the manual.
type Page struct {
	Slug  string // its address: /docs/{slug}
	Title string // in lists; the page's own heading may say more
	About string // one line
}

// File is the name of the page's file in this directory.
func (p Page) File() string { return p.Slug + ".md" }

// OpenAPI is the file that describes every address for programs.
const OpenAPI = "openapi.yaml"

// Pages are the pages in the order in which they are read.
func Pages() []Page {
	return []Page{
		{"push", "Push", "Send readings: one with curl, many as JSON, straight into Redis."},
		{"dashboards", "Dashboards", "Write a dashboard: panels, selectors, thresholds, text."},
		{"api", "API", "Read topics, readings and dashboards, search, delete and hide."},
		{"live", "Live", "Follow topics as they change: the WebSocket, event streams, cursors."},
		{"collect", "Collect", "Figures of this machine and of others: what is collected, how and where to."},
		{"serve", "Serve", "Run a server: the store, tokens, what it serves to whom."},
		{"errors", "Errors", "Every code that is answered, and what to do about it."},
	}
}

// Read returns a file of the manual: that of a Page, or OpenAPI.
func Read(file string) ([]byte, error) { return files.ReadFile(file) }
