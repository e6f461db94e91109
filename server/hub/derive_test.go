package hub_test

import (
	"math"
	"reflect"
	"testing"

	"readout/server/hub"
	"readout/server/reading"
)

func at(ms int64, values ...any) reading.Reading {
	r := reading.Reading{Topic: "net", Time: ms}
	for i := 0; i < len(values); i += 2 {
		v := reading.Value{}
		switch x := values[i+1].(type) {
		case float64:
			v = reading.NumberOf(x)
		case int:
			v = reading.NumberOf(float64(x))
		case string:
			v = reading.TextOf(x)
		case bool:
			v = reading.BoolOf(x)
		}
		r.Values = append(r.Values, reading.Named{Name: values[i].(string), Value: v})
	}
	return r
}

func TestRates(t *testing.T) {
	received := reading.Column{Name: "received", Unit: "bytes", Kind: reading.Counter}
	level := reading.Column{Name: "level", Unit: "percent", Kind: reading.Gauge}
	sent := reading.Column{Name: "sent", Kind: reading.Counter}
	missing := any(nil)
	for _, c := range []struct {
		name       string
		columns    []reading.Column
		list, want []reading.Reading
	}{
		{"growth a second", []reading.Column{received},
			[]reading.Reading{at(1000, "received", 100), at(2000, "received", 300), at(2500, "received", 310)},
			[]reading.Reading{at(1000, "received", missing), at(2000, "received", 200), at(2500, "received", 20)}},
		{"began again at 0", []reading.Column{received},
			[]reading.Reading{at(1000, "received", 1e9), at(3000, "received", 50), at(4000, "received", 60)},
			[]reading.Reading{at(1000, "received", missing), at(3000, "received", 25), at(4000, "received", 10)}},
		{"not later, and late", []reading.Column{received},
			[]reading.Reading{at(1000, "received", 10), at(1000, "received", 20), at(3000, "received", 40), at(2000, "received", 30), at(4000, "received", 50)},
			[]reading.Reading{at(1000, "received", missing), at(1000, "received", missing), at(3000, "received", 10), at(2000, "received", missing), at(4000, "received", 10)}},
		{"other columns stay, in any order", []reading.Column{level, received, sent},
			[]reading.Reading{at(1000, "received", 1, "level", 5, "sent", 7, "word", "up"), at(2000, "level", 6), at(3000, "sent", 9, "level", 7, "received", 5, "word", "down")},
			[]reading.Reading{at(1000, "received", missing, "level", 5, "sent", missing, "word", "up"), at(2000, "level", 6), at(3000, "sent", 1, "level", 7, "received", 2, "word", "down")}},
		{"what is no number is missing and passed over", []reading.Column{sent},
			[]reading.Reading{at(1000, "sent", 10), at(2000, "sent", "none"), at(3000, "sent", 30)},
			[]reading.Reading{at(1000, "sent", missing), at(2000, "sent", missing), at(3000, "sent", 10)}},
		{"nothing infinite, nothing negative", []reading.Column{sent},
			[]reading.Reading{at(1000, "sent", -math.MaxFloat64), at(2000, "sent", math.MaxFloat64), at(3000, "sent", -5)},
			[]reading.Reading{at(1000, "sent", missing), at(2000, "sent", missing), at(3000, "sent", missing)}},
		{"none", []reading.Column{sent}, nil, []reading.Reading{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := append([]reading.Reading(nil), c.list...)
			columns, got := hub.Rates(c.columns, c.list)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got\n%v\nwant\n%v", got, c.want)
			}
			if !reflect.DeepEqual(c.list, given) {
				t.Error("the readings that were given have changed")
			}
			for i, column := range columns {
				if column.Kind == reading.Counter || c.columns[i] == level && column != level {
					t.Errorf("the column %d became %+v", i, column)
				}
			}
		})
	}
}

func TestUnitsOfRates(t *testing.T) {
	for unit, want := range map[string]struct {
		unit  string
		value float64 // of a counter that grew by 500 in 2 s
	}{
		"": {"/s", 250}, "bytes": {"bytes/s", 250}, "orders": {"orders/s", 250},
		"s": {"ratio", 250}, "ms": {"ratio", .25}, "us": {"ratio", .00025}, "ns": {"ratio", 2.5e-7},
	} {
		columns, list := hub.Rates([]reading.Column{{Name: "n", Unit: unit, Kind: reading.Counter}}, []reading.Reading{at(1000, "n", 0), at(3000, "n", 500)})
		got, ok := list[1].Values[0].Value.Number()
		if want := (reading.Column{Name: "n", Unit: want.unit, Kind: reading.Gauge}); columns[0] != want {
			t.Errorf("%q becomes %+v, want %+v", unit, columns[0], want)
		}
		if !ok || math.Abs(got-want.value) > 1e-12 {
			t.Errorf("%q: 500 more in 2 s is %g, want %g", unit, got, want.value)
		}
	}
}

// A topic without counters costs nothing.
func TestRatesOfNoCounters(t *testing.T) {
	columns := []reading.Column{{Name: "level", Kind: reading.Gauge}}
	list := []reading.Reading{at(1000, "level", 5), at(2000, "level", 6)}
	if n := testing.AllocsPerRun(100, func() { hub.Rates(columns, list) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
