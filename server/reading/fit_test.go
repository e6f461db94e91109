package reading

import "testing"

func TestFit(t *testing.T) {
	for _, c := range []struct{ sent, name, label, column string }{
		{"cpu_usage", "cpu_usage", "cpu_usage", "cpu_usage"},
		{"disk usage", "disk_usage", "disk_usage", "disk_usage"},
		{"app.kubernetes.io/name", "app.kubernetes.io/name", "app.kubernetes.io_name", "app.kubernetes.io/name"},
		{"1st", "1st", "_1st", "1st"},
		{".a", "_.a", "_.a", ".a"},
		{"-a", "_-a", "_a", "-a"},
		{":a", ":a", "_a", ":a"},
		{"é€𝄞", "___", "___", "___"},
		{"a\xffb\x00", "a_b_", "a_b_", "a_b_"},
		{"t", "t", "t", "_t"},
		{"p", "p", "p", "_p"},
		{"", "", "", ""},
	} {
		if got := FitName(c.sent); got != c.name {
			t.Errorf("FitName(%q) = %q, want %q", c.sent, got, c.name)
		}
		if got := FitLabel(c.sent); got != c.label {
			t.Errorf("FitLabel(%q) = %q, want %q", c.sent, got, c.label)
		}
		if got := FitColumn(c.sent); got != c.column {
			t.Errorf("FitColumn(%q) = %q, want %q", c.sent, got, c.column)
		}
	}
}
