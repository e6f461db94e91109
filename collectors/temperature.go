package collectors

import (
	"context"
	"math"
	"time"

	"readout/server/reading"
)

// Temperature reads the sensors of this machine, in °C, named by their chip and
// what it says of them: "coretemp Package id 0", "nvme Composite". Of a
// processor that tells a temperature for the whole and one for each core, the
// whole is taken. A figure that no working machine has (below -50 or above 125)
// is that of an input with nothing on it and is left out. Only Linux is read;
// virtual machines mostly have no sensors, and then there are no readings.
type Temperature struct {
	things
	reader temperatureReader
}

// temperatureStat is what one sensor says, in thousandths of a °C.
type temperatureStat struct {
	name  string
	milli int64
}

// NewTemperature makes the collector of the topics
// temperature{host="...",sensor="..."}. The error says why host cannot be a label.
func NewTemperature(host string) (*Temperature, error) {
	things, err := newThings("temperature", "sensor", host, gauges("°C", "temperature"))
	if err != nil {
		return nil, err
	}
	return &Temperature{things: things}, nil
}

// Name is temperature.
func (t *Temperature) Name() string { return "temperature" }

// Interval is 5 seconds: reading a sensor can take milliseconds.
func (t *Temperature) Interval() time.Duration { return 5 * time.Second }

// Collect reads every sensor. One that cannot be read is left out.
func (t *Temperature) Collect(ctx context.Context) ([]reading.Reading, error) {
	now := time.Now().UnixMilli()
	var readings []reading.Reading
	for _, s := range t.reader.read(ctx) {
		topic, ok := t.topic(s.name)
		if !ok || s.milli < -50_000 || s.milli > 125_000 {
			continue
		}
		readings = append(readings, reading.Reading{Topic: topic, Time: now, Values: []reading.Named{
			{Name: "temperature", Value: reading.NumberOf(math.Round(float64(s.milli)/100) / 10)},
		}})
	}
	return readings, nil
}
