// Package scripts holds the atomic steps of the store, one file each. Its text
// says what a script does, with which keys and arguments, and what it answers.
// The store sends them to Redis; the embedded store has a Go function for each.
package scripts

import "embed"

//go:embed *.lua
var files embed.FS

// Text returns the text of a script by its name, the name of its file.
func Text(name string) string {
	text, err := files.ReadFile(name + ".lua")
	if err != nil {
		panic(err) // a name that this program itself got wrong
	}
	return string(text)
}
