package views

import (
	"context"
	"encoding/json"
	"io"

	"github.com/a-h/templ"
)

// ownTopics tells the script which topics are not news.
func ownTopics(v HomeView) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		own := v.Own
		if own == nil {
			own = []string{}
		}
		data, err := json.Marshal(own)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, `<script type="application/json" data-own>`+string(data)+`</script>`)
		return err
	})
}
