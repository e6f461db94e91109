package pages

import "sync"

// mostProse is how much text of panels is kept rendered, in bytes of its source
// and of its HTML. The dashboards that anybody looks at have less.
const mostProse = 8 << 20

// proses keeps the HTML of text panels, so that a text is rendered once and not
// for every viewer. It is found by the text itself: of a new version of a
// dashboard only what changed is rendered. The zero value is ready.
type proses struct {
	mu    sync.Mutex
	known map[string]string // HTML by its source
	size  int
}

// html is the HTML of a text.
func (c *proses) html(source string) (string, error) {
	c.mu.Lock()
	rendered, ok := c.known[source]
	c.mu.Unlock()
	if ok {
		return rendered, nil
	}
	rendered, err := prose(source)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.known[source]; ok { // another viewer came first
		return rendered, nil
	}
	if c.size += len(source) + len(rendered); c.known == nil || c.size > mostProse { // old versions go with the rest
		c.known, c.size = map[string]string{}, len(source)+len(rendered)
	}
	c.known[source] = rendered
	return rendered, nil
}
