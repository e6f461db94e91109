package views

// DocLink leads to a page of the manual.
type DocLink struct {
	Path, Title string
	About       string // one line
}

// DocSection leads to a heading of a page of the manual.
type DocSection struct {
	ID, Title string
	Sub       bool // belongs to the section before it
}

// DocsView is the first page of the manual.
type DocsView struct {
	Page
	Pages   []DocLink // in the order of reading
	Address string    // of this server, as people type it into curl
}

// DocView is a page of the manual.
type DocView struct {
	Page
	Title, Path   string
	Pages         []DocLink
	Sections      []DocSection
	Before, After *DocLink // nil at the ends
	HTML          string   // the rendered page, safe as it is
}
