// Package server wires Readout together: routes, who may use them, errors,
// health, metrics, start and stop. server.go shows who gets what.
//
// # The way of one reading
//
//	collectors/cpu.go -> collectors/runner.go -> Sink            curl -d 42 .../t/cpu
//	  (server.Server.Append in the process; collectors/push.go over HTTP)
//	    -> server/routes.go -> server/push (limits, access) -> server/ingest -> server/store/append.go
//	                                                   XADD, answered only after Redis replied
//	    -> [Redis stream]
//	    -> server/store/tail.go      XREAD, a bounded number of connections whatever the number of topics
//	    -> server/hub/streamer.go    one goroutine per watched topic: cursor, ring, encodes each batch once
//	    -> server/hub/subscriber.go  bounded queue, conflation, gap
//	    -> server/live/conn.go       drains its whole queue in one write (stream.go, poll.go for other transports)
//	    -> static/src/live.ts -> frame.ts -> series.ts -> schedule.ts (one frame for the page) -> chart.ts
//
// A page view: server/pages reads the newest entries, views render HTML that
// shows the last value, an SVG line and the cursor it ends at; the page's socket
// then subscribes after that cursor. No hole, no double, and the page means
// something before any script runs.
package server
