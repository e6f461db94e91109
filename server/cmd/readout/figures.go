package main

import (
	"context"
	"net"
	"time"

	"readout/collectors"
	"readout/server"
	"readout/server/reading"
)

// figures collects what this replica tells of itself: readout_server{replica}.
type figures struct {
	topic   reading.Topic
	replica *replica
}

// newFigures names the replica by its name, or by its machine and port: these
// stay the same when it starts again.
func newFigures(r *replica, name string, at net.Addr) (*figures, error) {
	if name == "" {
		name = collectors.Host()
		if _, port, err := net.SplitHostPort(at.String()); err == nil {
			name = net.JoinHostPort(name, port)
		}
	}
	topic, err := reading.NewTopic("readout_server", reading.Label{Name: "replica", Value: name})
	return &figures{topic: topic, replica: r}, err
}

func (f *figures) Name() string            { return "readout" }
func (f *figures) Interval() time.Duration { return time.Second }

func (f *figures) Describe() collectors.Description {
	return collectors.Description{f.topic: server.FigureColumns()}
}

func (f *figures) Collect(context.Context) ([]reading.Reading, error) {
	return []reading.Reading{{Topic: f.topic, Time: time.Now().UnixMilli(), Values: f.replica.Figures()}}, nil
}
