package collectors

import "testing"

const pressure = `some avg10=11.22 avg60=3.40 avg300=1.11 total=58761459
full avg10=10.00 avg60=0.05 avg300=0.00 total=17
`

func TestPressureFromProc(t *testing.T) {
	m := newMachine(t)
	p := must(t, NewPressure)
	m.expect(p) // a kernel without it: nothing, and no error
	if d := p.Describe(); len(d) != 0 {
		t.Errorf("described before it was seen: %v", d)
	}
	for _, name := range []string{"cpu", "memory", "io"} {
		m.write("proc/pressure/"+name, pressure)
	}
	m.expect(p,
		`pressure{host="web1",resource="cpu"} [some10=11.22 some60=3.4]`,
		`pressure{host="web1",resource="memory"} [some10=11.22 some60=3.4 full10=10 full60=0.05]`,
		`pressure{host="web1",resource="io"} [some10=11.22 some60=3.4 full10=10 full60=0.05]`,
	)
	m.write("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
	m.remove("proc/pressure/io")
	m.expect(p,
		`pressure{host="web1",resource="cpu"} [some10=11.22 some60=3.4]`,
		`pressure{host="web1",resource="memory"} [some10=0 some60=0]`,
	)
}

func TestParsePressure(t *testing.T) {
	for text, want := range map[string]pressureStat{
		"":                                         {},
		"some avg10=1.00":                          {},
		"some avg60=1.00 avg10=1.00":               {},
		"some avg10=1.5 avg60=1.00":                {},
		"some avg10=-1.00 avg60=1.00":              {},
		"some avg10=101.00 avg60=1.00":             {},
		"other avg10=1.00 avg60=1.00":              {},
		"some avg10=100.00 avg60=99.99":            {some: true, some10: 100, some60: 99.99},
		"full avg10=0.01 avg60=0.10\nsome avg10=x": {full: true, full10: 0.01, full60: 0.1},
	} {
		if got := parsePressure([]byte(text)); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func FuzzPressure(f *testing.F) {
	f.Add([]byte(pressure))
	f.Add([]byte("some avg10=100.99 avg60=00.00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := parsePressure(text)
		for _, n := range []float64{got.some10, got.some60, got.full10, got.full60} {
			if !(n >= 0 && n <= 100) {
				t.Errorf("%q: %+v", text, got)
			}
		}
	})
}
