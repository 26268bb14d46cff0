// Package otelfact turns OpenTelemetry metrics, traces and logs into facts. It
// keeps the last reading of every counter, and knows no clock and no I/O: time is
// what the data and Advance say.
//
// # Counters
//
// A cumulative counter becomes what happened between two readings. Its identity is
// the host, the metric and the attributes, for a process the PID and the creation
// time. The first reading of a counter yields nothing, unless its start timestamp
// shows that it was born since the previous scrape of its host (or of its metric,
// for a histogram): then all that it counted belongs to the interval. The same goes
// for a counter that started again. A counter that went back without saying so, a
// clock that went back and an interval of more than ten minutes begin anew and
// yield nothing. Delta counters are taken as they are.
//
// The points of one scrape make one fact: one Use per process, one Latency per
// service, host and signal (routes and status codes are summed). Facts come out in
// the order of their times, within one call.
//
// # Latency
//
// Signal "server" is http.server.request.duration with the resource attribute
// service.name; "probe" is http.client.request.duration with the attribute
// service.peer.name (without it, a client's view of somebody else is nobody's
// latency, and is ignored) together with rootcause.probe.unfinished.age; "spans" are
// server spans; further histograms and gauges are named by Options. A histogram that
// did not move gives a Latency with Count 0: silence is known. Summaries are not
// read. The unit may be s, ms, us or ns; without a unit it is seconds.
//
// A bucket without an upper bound ends at the point's max if that is known and
// above the last bound, else at twice the last bound. A histogram without buckets
// counts all requests at their mean.
//
// # Limits
//
// What cannot be read is skipped and counted by Reason, never an error. State is
// bounded by Options.MaxState: a process that was absent from ten scrapes of its
// host, and everything else that nothing was heard of for ten minutes of Advance,
// is forgotten.
package otelfact
