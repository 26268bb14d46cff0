package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
)

// version is the number in the header of a journal.
const version = 1

// header is the first line of a journal.
const header = `{"culprit_journal":1}` + "\n"

// The ends of what fits into Unix nanoseconds.
var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64)
)

// line is the form of every line; a header has only a version.
type line struct {
	Version int             `json:"culprit_journal,omitzero"`
	Kind    fact.Kind       `json:"kind,omitzero"`
	Carried bool            `json:"carried,omitzero"`
	Fact    json.RawMessage `json:"fact,omitzero"`
}

// lineOut is a line with a fact that is not encoded yet.
type lineOut struct {
	Kind    fact.Kind `json:"kind"`
	Carried bool      `json:"carried,omitzero"` // for who has read nothing before it
	Fact    any       `json:"fact"`
}

// nanos is a time as Unix nanoseconds.
type nanos int64

func (n nanos) time() time.Time { return time.Unix(0, int64(n)).UTC() }

// instant and interval are the times of facts at one moment and over a while.
type (
	instant struct {
		At nanos `json:"at"`
	}
	interval struct {
		At   nanos         `json:"at"`
		Over time.Duration `json:"over,omitzero"`
	}
)

type wireProcess struct {
	Host  string `json:"host,omitzero"`
	PID   int64  `json:"pid,omitzero"`
	Start int64  `json:"start,omitzero"`
}

func (p wireProcess) process() fact.Process { return fact.Process(p) }

type wireWorkload struct {
	Type string `json:"type,omitzero"`
	Name string `json:"name,omitzero"`
	PID  int64  `json:"pid,omitzero"`
}

type wireAmounts struct {
	CPU             *float64 `json:"cpu,omitzero"`
	DiskRead        *float64 `json:"disk_read,omitzero"`
	DiskWrite       *float64 `json:"disk_write,omitzero"`
	NetworkReceive  *float64 `json:"network_receive,omitzero"`
	NetworkTransmit *float64 `json:"network_transmit,omitzero"`
	RunDelay        *float64 `json:"run_delay,omitzero"`
	BlockDelay      *float64 `json:"block_delay,omitzero"`
	MajorFaults     *float64 `json:"major_faults,omitzero"`
	Memory          *float64 `json:"memory,omitzero"`
	SwapDelay       *float64 `json:"swap_delay,omitzero"`
	ThrashingDelay  *float64 `json:"thrashing_delay,omitzero"`
	Retransmits     *float64 `json:"retransmits,omitzero"`
	Flight          *float64 `json:"flight,omitzero"`
}

// slots gives the amounts in the order of the resources.
func (w *wireAmounts) slots() [fact.NumResources]**float64 {
	return [fact.NumResources]**float64{
		fact.CPU: &w.CPU, fact.DiskRead: &w.DiskRead, fact.DiskWrite: &w.DiskWrite,
		fact.NetworkReceive: &w.NetworkReceive, fact.NetworkTransmit: &w.NetworkTransmit,
		fact.RunDelay: &w.RunDelay, fact.BlockDelay: &w.BlockDelay,
		fact.MajorFaults: &w.MajorFaults, fact.Memory: &w.Memory,
		fact.SwapDelay: &w.SwapDelay, fact.ThrashingDelay: &w.ThrashingDelay, fact.Retransmits: &w.Retransmits,
		fact.Flight: &w.Flight,
	}
}

type (
	wireDescribed struct {
		instant
		wireProcess
		Parent     int64    `json:"parent,omitzero"`
		Group      int64    `json:"group,omitzero"`
		Session    int64    `json:"session,omitzero"`
		Command    string   `json:"command,omitzero"`
		Executable string   `json:"executable,omitzero"`
		Args       []string `json:"args,omitempty"`
		Cgroup     string   `json:"cgroup,omitzero"`
		CPUs       string   `json:"cpus,omitzero"`
		Nice       int      `json:"nice,omitzero"`

		Workload wireWorkload `json:"workload,omitzero"`
	}
	wireUse struct {
		interval
		wireProcess
		Workload wireWorkload `json:"workload,omitzero"`
		Amounts  wireAmounts  `json:"amounts,omitzero"`
	}
	wireServes struct {
		instant
		Service string `json:"service,omitzero"`
		wireProcess
	}
	wireWorksFor struct {
		instant
		Server wireProcess `json:"server,omitzero"`
		Client wireProcess `json:"client,omitzero"`
	}
	wireService struct {
		instant
		Name      string   `json:"name,omitzero"`
		Processes []string `json:"processes,omitempty"`
		Objective float64  `json:"objective,omitzero"`
	}
	wireBucket  [3]float64 // low, high, count
	wireLatency struct {
		interval
		Service string       `json:"service,omitzero"`
		Host    string       `json:"host,omitzero"`
		Signal  string       `json:"signal,omitzero"`
		Count   float64      `json:"count,omitzero"`
		Errors  float64      `json:"errors,omitzero"`
		Buckets []wireBucket `json:"buckets,omitempty"`
		Oldest  float64      `json:"oldest,omitzero"`
	}
	wireCalls struct {
		interval
		Service string  `json:"service,omitzero"`
		Host    string  `json:"host,omitzero"`
		Peer    string  `json:"peer,omitzero"`
		Local   bool    `json:"local,omitzero"`
		Count   float64 `json:"count,omitzero"`
		Errors  float64 `json:"errors,omitzero"`
		Time    float64 `json:"time,omitzero"`
	}
	wireCPU struct {
		interval
		Host   string  `json:"host,omitzero"`
		Busy   float64 `json:"busy,omitzero"`
		IOWait float64 `json:"iowait,omitzero"`
		Steal  float64 `json:"steal,omitzero"`
		Cores  int     `json:"cores,omitzero"`
	}
	wireDisk struct {
		interval
		Host       string  `json:"host,omitzero"`
		Device     string  `json:"device,omitzero"`
		Reads      float64 `json:"reads,omitzero"`
		Writes     float64 `json:"writes,omitzero"`
		ReadBytes  float64 `json:"read_bytes,omitzero"`
		WriteBytes float64 `json:"write_bytes,omitzero"`
		OpTime     float64 `json:"op_time,omitzero"`
		BusyTime   float64 `json:"busy_time,omitzero"`
		InFlight   float64 `json:"in_flight,omitzero"`
		Number     string  `json:"number,omitzero"`
		Scheduler  string  `json:"scheduler,omitzero"`
	}
	wireLink struct {
		interval
		Host        string  `json:"host,omitzero"`
		Interface   string  `json:"interface,omitzero"`
		Received    float64 `json:"received,omitzero"`
		Transmitted float64 `json:"transmitted,omitzero"`
		Errors      float64 `json:"errors,omitzero"`
		Drops       float64 `json:"drops,omitzero"`
		Speed       float64 `json:"speed,omitzero"`
	}
	wirePressure struct {
		interval
		Host     string  `json:"host,omitzero"`
		Cgroup   string  `json:"cgroup,omitzero"`
		Resource string  `json:"resource,omitzero"`
		Some     float64 `json:"some,omitzero"`
		Full     float64 `json:"full,omitzero"`
	}
	wirePaging struct {
		interval
		Host     string  `json:"host,omitzero"`
		Cgroup   string  `json:"cgroup,omitzero"`
		Refaults float64 `json:"refaults,omitzero"`
		SwapIn   float64 `json:"swap_in,omitzero"`
		SwapOut  float64 `json:"swap_out,omitzero"`
	}
	wireFilesystem struct {
		instant
		Host       string  `json:"host,omitzero"`
		Mountpoint string  `json:"mountpoint,omitzero"`
		Device     string  `json:"device,omitzero"`
		Size       float64 `json:"size,omitzero"`
		Available  float64 `json:"available,omitzero"`
	}
	wireLocks struct {
		interval
		Host     string  `json:"host,omitzero"`
		Service  string  `json:"service,omitzero"`
		Waits    float64 `json:"waits,omitzero"`
		Time     float64 `json:"time,omitzero"`
		Waiting  float64 `json:"waiting,omitzero"`
		Sessions float64 `json:"sessions,omitzero"`
	}
	wireShared struct {
		instant
		Name     string   `json:"name,omitzero"`
		Resource string   `json:"resource,omitzero"`
		Hosts    []string `json:"hosts,omitempty"`
	}
	wireCapability struct {
		instant
		Host    string `json:"host,omitzero"`
		Name    string `json:"name,omitzero"`
		Present bool   `json:"present,omitzero"`
	}
	wireLog struct {
		instant
		Host     string `json:"host,omitzero"`
		Service  string `json:"service,omitzero"`
		Source   string `json:"source,omitzero"`
		Unit     string `json:"unit,omitzero"`
		Severity int    `json:"severity,omitzero"`
		Body     string `json:"body,omitzero"`
	}
	wireMark struct {
		instant
		Name string `json:"name,omitzero"`
		Text string `json:"text,omitzero"`
	}
	wireRecalled struct {
		instant
		State json.RawMessage `json:"state,omitempty"`
	}
)

// encode gives the wire form of a fact.
func encode(f fact.Fact) (any, error) {
	if f == nil {
		return nil, errors.New("no fact to write")
	}
	when := f.When()
	if when.Before(earliest) || when.After(latest) {
		return nil, fmt.Errorf("%s fact: time %v is outside the years 1678 to 2262", f.Kind(), when)
	}
	at := instant{At: nanos(when.UnixNano())}
	over := func(d time.Duration) interval { return interval{At: at.At, Over: d} }
	switch f := f.(type) {
	case fact.Tick:
		return at, nil
	case fact.Described:
		return wireDescribed{
			instant: at, wireProcess: wireProcess(f.Process), Parent: f.Parent, Group: f.Group, Session: f.Session,
			Command: f.Command, Executable: f.Executable, Args: f.Args, Cgroup: f.Cgroup, CPUs: f.CPUs, Nice: f.Nice,
			Workload: wireWorkload(f.Workload),
		}, nil
	case fact.Use:
		return wireUse{interval: over(f.Over), wireProcess: wireProcess(f.Process), Workload: wireWorkload(f.Workload), Amounts: encodeAmounts(&f.Amounts)}, nil
	case fact.Serves:
		return wireServes{instant: at, Service: f.Service, wireProcess: wireProcess(f.Process)}, nil
	case fact.WorksFor:
		return wireWorksFor{instant: at, Server: wireProcess(f.Server), Client: wireProcess(f.Client)}, nil
	case fact.Service:
		return wireService{instant: at, Name: f.Name, Processes: f.Processes, Objective: f.Objective}, nil
	case fact.Latency:
		buckets := make([]wireBucket, len(f.Buckets))
		for i, b := range f.Buckets {
			buckets[i] = wireBucket{b.Low, b.High, b.Count}
		}
		return wireLatency{
			interval: over(f.Over), Service: f.Service, Host: f.Host, Signal: f.Signal,
			Count: f.Count, Errors: f.Errors, Buckets: buckets, Oldest: f.Oldest,
		}, nil
	case fact.Calls:
		return wireCalls{
			interval: over(f.Over), Service: f.Service, Host: f.Host, Peer: f.Peer, Local: f.Local, Count: f.Count, Errors: f.Errors, Time: f.Time,
		}, nil
	case fact.CPUTime:
		return wireCPU{interval: over(f.Over), Host: f.Host, Busy: f.Busy, IOWait: f.IOWait, Steal: f.Steal, Cores: f.Cores}, nil
	case fact.Disk:
		return wireDisk{
			interval: over(f.Over), Host: f.Host, Device: f.Device, Reads: f.Reads, Writes: f.Writes, ReadBytes: f.ReadBytes,
			WriteBytes: f.WriteBytes, OpTime: f.OpTime, BusyTime: f.BusyTime, InFlight: f.InFlight, Number: f.Number, Scheduler: f.Scheduler,
		}, nil
	case fact.Link:
		return wireLink{
			interval: over(f.Over), Host: f.Host, Interface: f.Interface, Received: f.Received, Transmitted: f.Transmitted,
			Errors: f.Errors, Drops: f.Drops, Speed: f.Speed,
		}, nil
	case fact.Pressure:
		return wirePressure{interval: over(f.Over), Host: f.Host, Cgroup: f.Cgroup, Resource: f.Resource, Some: f.Some, Full: f.Full}, nil
	case fact.Paging:
		return wirePaging{interval: over(f.Over), Host: f.Host, Cgroup: f.Cgroup, Refaults: f.Refaults, SwapIn: f.SwapIn, SwapOut: f.SwapOut}, nil
	case fact.Filesystem:
		return wireFilesystem{instant: at, Host: f.Host, Mountpoint: f.Mountpoint, Device: f.Device, Size: f.Size, Available: f.Available}, nil
	case fact.Locks:
		return wireLocks{interval: over(f.Over), Host: f.Host, Service: f.Service, Waits: f.Waits, Time: f.Time, Waiting: f.Waiting, Sessions: f.Sessions}, nil
	case fact.Shared:
		return wireShared{instant: at, Name: f.Name, Resource: f.Resource, Hosts: f.Hosts}, nil
	case fact.Capability:
		return wireCapability{instant: at, Host: f.Host, Name: f.Name, Present: f.Present}, nil
	case fact.Log:
		return wireLog{instant: at, Host: f.Host, Service: f.Service, Source: f.Source, Unit: f.Unit, Severity: f.Severity, Body: f.Body}, nil
	case fact.Mark:
		return wireMark{instant: at, Name: f.Name, Text: f.Text}, nil
	case fact.Recalled:
		return wireRecalled{instant: at, State: f.State}, nil
	default:
		return nil, fmt.Errorf("a journal cannot hold a fact of type %T", f)
	}
}

// encodeAmounts points into amounts; what is NaN stays nil.
func encodeAmounts(amounts *fact.Amounts) wireAmounts {
	var w wireAmounts
	for r, slot := range w.slots() {
		if !math.IsNaN(amounts[r]) {
			*slot = &amounts[r]
		}
	}
	return w
}

func decodeAmounts(w wireAmounts) fact.Amounts {
	amounts := fact.Unknown()
	for r, slot := range w.slots() {
		if *slot != nil {
			amounts[r] = **slot
		}
	}
	return amounts
}

// decoders has one decoder for each kind of fact.
var decoders = map[fact.Kind]func(json.RawMessage) (fact.Fact, error){
	fact.KindTick: decodeAs(func(w instant) fact.Fact { return fact.Tick{At: w.At.time()} }),
	fact.KindDescribed: decodeAs(func(w wireDescribed) fact.Fact {
		if len(w.Args) == 0 {
			w.Args = nil
		}
		return fact.Described{
			At: w.At.time(), Process: w.process(), Parent: w.Parent, Group: w.Group, Session: w.Session,
			Command: w.Command, Executable: w.Executable, Args: w.Args, Cgroup: w.Cgroup, CPUs: w.CPUs, Nice: w.Nice,
			Workload: fact.Workload(w.Workload),
		}
	}),
	fact.KindUse: decodeAs(func(w wireUse) fact.Fact {
		return fact.Use{At: w.At.time(), Over: w.Over, Process: w.process(), Workload: fact.Workload(w.Workload), Amounts: decodeAmounts(w.Amounts)}
	}),
	fact.KindServes: decodeAs(func(w wireServes) fact.Fact {
		return fact.Serves{At: w.At.time(), Service: w.Service, Process: w.process()}
	}),
	fact.KindWorksFor: decodeAs(func(w wireWorksFor) fact.Fact {
		return fact.WorksFor{At: w.At.time(), Server: w.Server.process(), Client: w.Client.process()}
	}),
	fact.KindService: decodeAs(func(w wireService) fact.Fact {
		if len(w.Processes) == 0 {
			w.Processes = nil
		}
		return fact.Service{At: w.At.time(), Name: w.Name, Processes: w.Processes, Objective: w.Objective}
	}),
	fact.KindLatency: decodeAs(func(w wireLatency) fact.Fact {
		var buckets []fact.Bucket
		for _, b := range w.Buckets {
			buckets = append(buckets, fact.Bucket{Low: b[0], High: b[1], Count: b[2]})
		}
		return fact.Latency{
			At: w.At.time(), Over: w.Over, Service: w.Service, Host: w.Host, Signal: w.Signal,
			Count: w.Count, Errors: w.Errors, Buckets: buckets, Oldest: w.Oldest,
		}
	}),
	fact.KindCalls: decodeAs(func(w wireCalls) fact.Fact {
		return fact.Calls{
			At: w.At.time(), Over: w.Over, Service: w.Service, Host: w.Host, Peer: w.Peer, Local: w.Local, Count: w.Count, Errors: w.Errors, Time: w.Time,
		}
	}),
	fact.KindCPU: decodeAs(func(w wireCPU) fact.Fact {
		return fact.CPUTime{At: w.At.time(), Over: w.Over, Host: w.Host, Busy: w.Busy, IOWait: w.IOWait, Steal: w.Steal, Cores: w.Cores}
	}),
	fact.KindDisk: decodeAs(func(w wireDisk) fact.Fact {
		return fact.Disk{
			At: w.At.time(), Over: w.Over, Host: w.Host, Device: w.Device, Reads: w.Reads, Writes: w.Writes, ReadBytes: w.ReadBytes,
			WriteBytes: w.WriteBytes, OpTime: w.OpTime, BusyTime: w.BusyTime, InFlight: w.InFlight, Number: w.Number, Scheduler: w.Scheduler,
		}
	}),
	fact.KindLink: decodeAs(func(w wireLink) fact.Fact {
		return fact.Link{
			At: w.At.time(), Over: w.Over, Host: w.Host, Interface: w.Interface, Received: w.Received, Transmitted: w.Transmitted,
			Errors: w.Errors, Drops: w.Drops, Speed: w.Speed,
		}
	}),
	fact.KindPressure: decodeAs(func(w wirePressure) fact.Fact {
		return fact.Pressure{At: w.At.time(), Over: w.Over, Host: w.Host, Cgroup: w.Cgroup, Resource: w.Resource, Some: w.Some, Full: w.Full}
	}),
	fact.KindPaging: decodeAs(func(w wirePaging) fact.Fact {
		return fact.Paging{At: w.At.time(), Over: w.Over, Host: w.Host, Cgroup: w.Cgroup, Refaults: w.Refaults, SwapIn: w.SwapIn, SwapOut: w.SwapOut}
	}),
	fact.KindFilesystem: decodeAs(func(w wireFilesystem) fact.Fact {
		return fact.Filesystem{At: w.At.time(), Host: w.Host, Mountpoint: w.Mountpoint, Device: w.Device, Size: w.Size, Available: w.Available}
	}),
	fact.KindLocks: decodeAs(func(w wireLocks) fact.Fact {
		return fact.Locks{At: w.At.time(), Over: w.Over, Host: w.Host, Service: w.Service, Waits: w.Waits, Time: w.Time, Waiting: w.Waiting, Sessions: w.Sessions}
	}),
	fact.KindShared: decodeAs(func(w wireShared) fact.Fact {
		if len(w.Hosts) == 0 {
			w.Hosts = nil
		}
		return fact.Shared{At: w.At.time(), Name: w.Name, Resource: w.Resource, Hosts: w.Hosts}
	}),
	fact.KindCapability: decodeAs(func(w wireCapability) fact.Fact {
		return fact.Capability{At: w.At.time(), Host: w.Host, Name: w.Name, Present: w.Present}
	}),
	fact.KindLog: decodeAs(func(w wireLog) fact.Fact {
		return fact.Log{At: w.At.time(), Host: w.Host, Service: w.Service, Source: w.Source, Unit: w.Unit, Severity: w.Severity, Body: w.Body}
	}),
	fact.KindMark:     decodeAs(func(w wireMark) fact.Fact { return fact.Mark{At: w.At.time(), Name: w.Name, Text: w.Text} }),
	fact.KindRecalled: decodeAs(func(w wireRecalled) fact.Fact { return fact.Recalled{At: w.At.time(), State: w.State} }),
}

// decodeAs makes a decoder from the step between a wire form and its fact.
func decodeAs[W any](toFact func(W) fact.Fact) func(json.RawMessage) (fact.Fact, error) {
	return func(raw json.RawMessage) (fact.Fact, error) {
		var w W
		if err := json.Unmarshal(raw, &w); err != nil {
			return nil, err
		}
		return toFact(w), nil
	}
}
