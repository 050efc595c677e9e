package metrics

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
)

// A Metric is one metric of ours; the Go runtime's are the library's.
type Metric struct {
	Name   string
	Type   string // "counter", "gauge" or "histogram"
	Labels []string
	Help   string

	desc  *prometheus.Desc
	field protoreflect.FieldDescriptor // of api.Statistics, for a counter of these
}

func newMetric(kind, name, help string, labels ...string) *Metric {
	return &Metric{Name: name, Type: kind, Labels: labels, Help: help,
		desc: prometheus.NewDesc(name, help, labels, nil)}
}

func gauge(name, help string, labels ...string) *Metric {
	return newMetric("gauge", name, help, labels...)
}

func counter(name, help string, labels ...string) *Metric {
	return newMetric("counter", name, help, labels...)
}

// of is a value of the metric.
func (m *Metric) of(value float64, labels ...string) prometheus.Metric {
	kind := prometheus.GaugeValue
	if m.Type == "counter" {
		kind = prometheus.CounterValue
	}
	return prometheus.MustNewConstMetric(m.desc, kind, value, labels...)
}

var (
	buildInfo = gauge("culvert_info", "1, with the daemon's version and its data plane",
		"version", "dataplane")
	startTime = gauge("culvert_start_time_seconds", "When the daemon was started, in Unix time")
	survive   = gauge("culvert_sessions_survive", "1 if sessions outlive the daemon, 0 if not")
	tunnels   = gauge("culvert_tunnels", "Tunnels that exist, by state", "state")
	sessions  = gauge("culvert_sessions", "Sessions that exist, by state: up carries a network, "+
		"established has a call and none", "state")

	tunnelsEnded = counter("culvert_tunnels_ended_total",
		"Tunnels that have ended, by who ended them and the result code", "by", "result")
	sessionsEnded = counter("culvert_sessions_ended_total",
		"Sessions that have ended, by who ended the call and the result code", "by", "result")
	setUpTimes = newMetric("histogram", "culvert_session_setup_seconds",
		"How long sessions took from their request to their first network")

	messagesReceived = counter("culvert_messages_received_total",
		"Control messages received, by type", "type")
	messagesSent = counter("culvert_messages_sent_total", "Control messages sent, by type", "type")
	messagesBad  = counter("culvert_messages_bad_total", "Control messages received and malformed")

	eventsPublished = counter("culvert_events_total", "Events that have happened")
	eventsKept      = gauge("culvert_events_kept", "Events in memory")

	linesLost = counter("culvert_log_lines_lost_total",
		"Log lines that a target was too slow for, or refused")

	poolAddresses   = gauge("culvert_pool_addresses", "Addresses of a pool, by state", "pool", "state")
	poolAllocations = counter("culvert_pool_allocations_total",
		"Addresses given out of a pool", "pool")
	poolReleases = counter("culvert_pool_releases_total", "Addresses given back to a pool", "pool")
	poolFailures = counter("culvert_pool_failures_total",
		"Requests to a pool that found no free address", "pool")
)

// counters are those of api.Statistics: each of its numbers has one.
var counters = statisticsCounters()

func statisticsCounters() []*Metric {
	var all []*Metric
	fields := (&api.Statistics{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.IsList() {
			continue // messages, which have metrics with labels
		}
		help := proto.GetExtension(fd.Options(), api.E_Param).(*api.ParamOptions).GetHelp()
		m := counter("culvert_"+nameOf(string(fd.Name()))+"_total", help)
		m.field = fd
		all = append(all, m)
	}
	return all
}

// nameOf writes the name of a counter out: rx_bad_packets is bad_packets_received.
func nameOf(field string) string {
	for prefix, suffix := range map[string]string{"rx_": "_received", "tx_": "_sent"} {
		if name, ok := strings.CutPrefix(field, prefix); ok {
			return name + suffix
		}
	}
	return field
}

// All returns the metrics of ours, by name.
func All() []*Metric {
	all := append(slices.Clone(counters), buildInfo, startTime, survive, tunnels, sessions, tunnelsEnded,
		sessionsEnded, setUpTimes, messagesReceived, messagesSent, messagesBad, eventsPublished,
		eventsKept, linesLost, poolAddresses, poolAllocations, poolReleases, poolFailures)
	slices.SortFunc(all, func(a, b *Metric) int { return strings.Compare(a.Name, b.Name) })
	return all
}
