package dashboard

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"sync"
)

//go:embed builtin/*.yaml
var builtin embed.FS

// BuiltIn returns the dashboards that are part of Readout: machine and readout.
func BuiltIn() []Dashboard { return builtIns() }

// builtIns parses them once. A test parses the same files, so that a broken one
// cannot be released.
var builtIns = sync.OnceValue(func() []Dashboard {
	names, err := fs.Glob(builtin, "builtin/*.yaml")
	if err != nil {
		panic(err)
	}
	var list []Dashboard
	for _, name := range names {
		content, err := builtin.ReadFile(name)
		if err != nil {
			panic(err)
		}
		d, err := Parse(name, content)
		if err != nil {
			panic(fmt.Sprintf("built-in dashboard %s: %v", path.Base(name), err))
		}
		d.File, d.BuiltIn = "", true
		list = append(list, d)
	}
	return list
})
