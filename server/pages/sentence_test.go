package pages

import "testing"

func TestSentence(t *testing.T) {
	for message, want := range map[string]string{
		"":                              "",
		"there is no such page":         "There is no such page.",
		"orders has no readings.":       "Orders has no readings.",
		"shop.yaml:4:22: there is none": "shop.yaml:4:22: there is none.",
		`cpu{host="a"} is too long`:     `cpu{host="a"} is too long.`,
	} {
		if got := sentence(message); got != want {
			t.Errorf("%q became %q, want %q", message, got, want)
		}
	}
}
