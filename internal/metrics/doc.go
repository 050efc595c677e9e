// Package metrics shows the daemon's counters and states to Prometheus.
//
// Nothing is counted here: each scrape asks the engine, the pools and the event log.
// No metric has a label for a single session, tunnel or user: there may be 100,000.
// Names are those of the counters in api.Statistics, after Prometheus' conventions. What every
// exporter tells of its process is read from /proc (process.go).
package metrics
