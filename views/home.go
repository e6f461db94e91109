package views

import (
	"context"
	"encoding/json"
	"io"
	"strconv"

	"github.com/a-h/templ"
)

// which says beside a card's number which of several values it is.
func (p picture) which(hero line) string {
	if len(p.Columns) < 2 {
		return ""
	}
	return hero.Name + ", 1 of " + strconv.Itoa(len(p.Columns))
}

// ownTopics tells the script which topics are not news.
func ownTopics(v HomeView) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		own := make([]string, len(v.Own))
		for i, t := range v.Own {
			own[i] = string(t)
		}
		data, err := json.Marshal(own)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, `<script type="application/json" data-own>`+string(data)+`</script>`)
		return err
	})
}
