package collectors

import (
	"context"
	"math"
	"time"

	"readout/server/reading"
)

// Demo makes up a small business to try Readout with: orders of three shops, a
// queue, response times, services that are slow or down now and then, a cold
// store and its doors. It needs nothing of the machine. The same time always
// gives the same readings, so that two replicas and a restart fit together.
//
// What happens hangs together: while the service checkout is slow or down its
// latency rises and orders stay out, while mail is, invoices queue, and an open
// door warms the cold store.
type Demo struct{ seed uint64 }

// NewDemo makes the collector.
func NewDemo() *Demo { return &Demo{seed: 20} }

// Name is demo.
func (d *Demo) Name() string { return "demo" }

// Interval is one second.
func (d *Demo) Interval() time.Duration { return time.Second }

// The topics of Demo.
const (
	demoBerlin   reading.Topic = `orders{shop="Berlin"}`
	demoLisbon   reading.Topic = `orders{shop="Lisbon"}`
	demoOslo     reading.Topic = `orders{shop="Oslo"}`
	demoInvoices reading.Topic = `queue{name="invoices"}`
	demoCheckout reading.Topic = `latency{service="checkout"}`
	demoSearch   reading.Topic = `latency{service="search"}`
	demoCold     reading.Topic = `climate{place="cold store"}`
	demoOffice   reading.Topic = `climate{place="office"}`
	demoColdDoor reading.Topic = `door{place="cold store"}`
	demoBayDoor  reading.Topic = `door{place="loading bay"}`
	demoUpShop   reading.Topic = `service{name="checkout"}`
	demoUpFind   reading.Topic = `service{name="search"}`
	demoUpMail   reading.Topic = `service{name="mail"}`
)

// Describe gives every topic. placed counts the orders of the day, in UTC.
func (d *Demo) Describe() Description {
	orders := append(counters("orders", "placed"), gauges("EUR", "basket")...)
	latency := gauges("ms", "p50", "p95", "p99")
	climate := append(gauges("°C", "temperature"), gauges("percent", "humidity")...)
	state := []reading.Column{{Name: "state", Kind: reading.State}}
	return Description{
		demoBerlin: orders, demoLisbon: orders, demoOslo: orders,
		demoInvoices: append(gauges("jobs", "depth"), gauges("s", "oldest")...),
		demoCheckout: latency, demoSearch: latency,
		demoCold: climate, demoOffice: climate,
		demoColdDoor: state, demoBayDoor: state,
		demoUpShop: state, demoUpFind: state, demoUpMail: state,
	}
}

// Collect makes up the readings of this moment.
func (d *Demo) Collect(context.Context) ([]reading.Reading, error) { return d.at(time.Now()), nil }

// Each thing has a seed of its own, so that they do not move together.
const (
	seedCheckout = iota + 1
	seedSearch
	seedMail
	seedColdDoor
	seedBayDoor
	seedOrders // and one more for each shop
)

// at returns the readings of a moment.
func (d *Demo) at(now time.Time) []reading.Reading {
	t := float64(now.UnixMilli()) / 1000
	var list []reading.Reading
	add := func(topic reading.Topic, values ...reading.Named) {
		list = append(list, reading.Reading{Topic: topic, Time: now.UnixMilli(), Values: values})
	}
	for i, shop := range []struct {
		topic  reading.Topic
		rate   float64 // orders a second, on average
		basket float64
	}{{demoBerlin, 1.6, 48}, {demoLisbon, 0.9, 36}, {demoOslo, 0.5, 61}} {
		seed := d.of(seedOrders + uint64(i))
		add(shop.topic,
			figure("placed", math.Floor(shop.rate*d.busySeconds(seed, t)), 0),
			figure("basket", shop.basket*(1+0.12*wave(seed+40, t, 300)+0.06*wave(seed+41, t, 25)), 2))
	}
	depth, oldest := d.queue(t)
	add(demoInvoices, figure("depth", depth, 0), figure("oldest", oldest, 1))
	for _, s := range []struct {
		topic reading.Topic
		seed  uint64
		base  float64 // ms
	}{{demoCheckout, seedCheckout, 42}, {demoSearch, seedSearch, 18}} {
		seed := d.of(s.seed)
		strain := d.strain(s.seed, t)
		p50 := s.base * (1 + 0.1*wave(seed+50, t, 120) + 0.08*wave(seed+51, t, 4) + 2.5*strain)
		p95 := p50 * (1.9 + 0.25*wave(seed+52, t, 9) + 0.8*strain)
		p99 := p95 * (1.5 + 0.35*wave(seed+53, t, 5) + 0.5*strain)
		add(s.topic, figure("p50", p50, 1), figure("p95", p95, 1), figure("p99", p99, 1))
	}
	cold := d.coldStore(t)
	add(demoCold, figure("temperature", cold, 2), figure("humidity", 82+2.5*wave(d.seed+60, t, 400)+0.4*(cold+20), 1))
	add(demoOffice,
		figure("temperature", 21.6+0.7*wave(d.seed+61, t, 1800)+0.15*wave(d.seed+62, t, 90), 2),
		figure("humidity", 44+4*wave(d.seed+63, t, 1200)+0.6*wave(d.seed+64, t, 60), 1))
	add(demoColdDoor, door(d.open(seedColdDoor, t)))
	add(demoBayDoor, door(d.open(seedBayDoor, t)))
	for _, s := range []struct {
		topic reading.Topic
		seed  uint64
	}{{demoUpShop, seedCheckout}, {demoUpFind, seedSearch}, {demoUpMail, seedMail}} {
		add(s.topic, reading.Named{Name: "state", Value: reading.TextOf(d.health(s.seed, t))})
	}
	return list
}

// figure makes a value with at most so many decimals.
func figure(name string, value float64, decimals int) reading.Named {
	scale := math.Pow10(decimals)
	return reading.Named{Name: name, Value: reading.NumberOf(math.Round(value*scale) / scale)}
}

func door(open bool) reading.Named {
	if open {
		return reading.Named{Name: "state", Value: reading.TextOf("open")}
	}
	return reading.Named{Name: "state", Value: reading.TextOf("closed")}
}
