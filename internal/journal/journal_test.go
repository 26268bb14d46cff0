package journal

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
)

// night has every kind of fact, filled to the last field, and zero ones.
func night() []fact.Fact {
	at := time.Date(2026, 11, 21, 2, 0, 0, 123456789, time.UTC)
	process := fact.Process{Host: "web1", PID: 4711, Start: 1795226400120}
	amounts := fact.Unknown()
	amounts[fact.CPU] = 0.30000000000000004
	amounts[fact.DiskRead] = 0
	amounts[fact.Memory] = 1 << 40
	full := fact.Amounts{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}
	return []fact.Fact{
		fact.Tick{At: at},
		fact.Described{
			At: at, Process: process, Parent: 1, Group: 4711, Session: 4700, Command: "restic", Executable: "/usr/bin/restic",
			Args: []string{"restic", "backup", "<scrubbed> & \"more\"", ""}, Cgroup: "/system.slice/backup.service", CPUs: "0-3,8", Nice: -5,
			Workload: fact.Workload{Type: "job", Name: "nightly.sh", PID: 4700},
		},
		fact.Described{At: at, Process: fact.Process{PID: 2}},
		fact.Use{At: at, Over: time.Second, Process: process, Amounts: amounts},
		fact.Use{At: at, Over: 1, Process: process, Amounts: fact.Unknown()},
		fact.Use{At: at, Process: process, Amounts: full},
		fact.Use{At: at, Over: 1, Process: fact.Process{Host: "web1"}, Workload: fact.Workload{Type: "unit", Name: "nginx.service"}, Amounts: full},
		fact.Serves{At: at, Service: "shop", Process: process},
		fact.Service{At: at, Name: "shop", Processes: []string{"nginx", "php-fpm.service", ""}, Objective: 0.3},
		fact.Service{At: at, Name: "shop"},
		fact.WorksFor{At: at, Server: fact.Process{Host: "web1", PID: 800, Start: 5}, Client: process},
		fact.Latency{
			At: at, Over: time.Second, Service: "shop", Host: "web1", Signal: "server", Count: 3, Errors: 1, Oldest: 0.5,
			Buckets: []fact.Bucket{{Low: 0, High: 0.005, Count: 2}, {Low: math.SmallestNonzeroFloat64, High: math.MaxFloat64, Count: 1}},
		},
		fact.Latency{At: at, Service: "shop"},
		fact.Calls{At: at, Over: time.Second, Service: "shop", Host: "web1", Peer: "payments", Local: true, Count: 3, Errors: 1, Time: 0.75},
		fact.CPUTime{At: at, Over: time.Second, Host: "web1", Busy: 1.5, IOWait: 0.25, Steal: 0.125, Cores: 4},
		fact.Disk{
			At: at, Over: time.Second, Host: "web1", Device: "sda", Reads: 1, Writes: 2, ReadBytes: 3, WriteBytes: 4,
			OpTime: 5, BusyTime: 6, InFlight: 7, Number: "8:0", Scheduler: "mq-deadline",
		},
		fact.Link{At: at, Over: time.Second, Host: "web1", Interface: "eth0", Received: 1, Transmitted: 2, Errors: 3, Drops: 4, Speed: 5},
		fact.Pressure{At: at, Over: time.Second, Host: "web1", Cgroup: "/a", Resource: "io", Some: 0.5, Full: 0.25},
		fact.Paging{At: at, Over: time.Second, Host: "web1", Cgroup: "/site", Refaults: 1 << 20, SwapIn: 4096, SwapOut: 8192},
		fact.Filesystem{At: at, Host: "web1", Mountpoint: "/srv", Device: "vda1", Size: 1 << 40, Available: 1 << 20},
		fact.Locks{At: at, Over: time.Second, Host: "db1", Service: "orders", Waits: 12, Time: 3.5, Waiting: 4, Sessions: 9},
		fact.Shared{At: at, Name: "nas", Resource: "disk", Hosts: []string{"web1", "db1"}},
		fact.Capability{At: at, Host: "web1", Name: "psi", Present: true},
		fact.Capability{At: at, Host: "web1", Name: "psi"},
		fact.Log{At: at, Host: "web1", Service: "shop", Source: "kernel", Unit: "shop.service", Severity: 17, Body: "I/O error\nsda <é>\u2028"},
		fact.Mark{At: at.Add(-time.Hour * 24 * 365 * 50), Name: "deploy", Text: "shop 1.2"},
		fact.Recalled{At: at, State: []byte(`{"version":1,"baselines":[{"service":"a \u003c b"}]}`)},
	}
}

func write(tb testing.TB, facts []fact.Fact) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, f := range facts {
		require.NoError(tb, w.Write(f))
	}
	require.NoError(tb, w.Flush())
	return out.Bytes()
}

func collect(facts iter.Seq2[fact.Fact, error]) ([]fact.Fact, error) {
	var all []fact.Fact
	for f, err := range facts {
		if err != nil {
			return all, err
		}
		all = append(all, f)
	}
	return all, nil
}

// requireSame compares with NaN equal to NaN.
func requireSame(t *testing.T, want, got []fact.Fact) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, fmt.Sprintf("%#v", want[i]), fmt.Sprintf("%#v", got[i]))
	}
}

func TestRoundTrip(t *testing.T) {
	written := write(t, night())
	facts, err := collect(Read(bytes.NewReader(written)))
	require.NoError(t, err)
	requireSame(t, night(), facts)
	require.Equal(t, string(written), string(write(t, facts)))

	kinds := map[fact.Kind]bool{}
	for _, f := range facts {
		kinds[f.Kind()] = true
	}
	require.Len(t, kinds, len(decoders), "the test has every kind")
}

func TestForm(t *testing.T) {
	want := `{"culprit_journal":1}
{"kind":"tick","fact":{"at":1795226400123456789}}
{"kind":"use","fact":{"at":1795226400123456789,"over":1000000000,"host":"web1","pid":4711,"start":1795226400120,"amounts":{"cpu":0.30000000000000004,"disk_read":0,"memory":1099511627776}}}
`
	require.Equal(t, want, string(write(t, []fact.Fact{night()[0], night()[3]})))
}

func TestReadGzip(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(write(t, night()))
	require.NoError(t, err)
	require.NoError(t, z.Close())

	facts, err := collect(Read(bytes.NewReader(packed.Bytes())))
	require.NoError(t, err)
	requireSame(t, night(), facts)

	_, err = collect(Read(bytes.NewReader(packed.Bytes()[:packed.Len()-12])))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = collect(Read(bytes.NewReader(packed.Bytes()[:5])))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestReadTruncated(t *testing.T) {
	facts := night()
	written := write(t, facts)
	for cut := range written {
		whole := max(0, bytes.Count(written[:cut], []byte("\n"))-1)
		got, err := collect(Read(bytes.NewReader(written[:cut])))
		// Without its newline, a line may still be whole.
		require.True(t, len(got) == whole || len(got) == whole+1, "cut at %d: %d facts", cut, len(got))
		requireSame(t, facts[:len(got)], got)
		if err != nil && cut > len(header) {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", cut)
		}
	}
}

func TestReadErrors(t *testing.T) {
	const tick = `{"kind":"tick","fact":{"at":1}}` + "\n"
	tests := map[string]struct {
		text  string
		facts int
		want  string
	}{
		"empty":           {"", 0, "the journal is empty: unexpected EOF"},
		"blank":           {"\n", 0, "this is no journal"},
		"not JSON":        {"hello\n", 0, "this is no journal"},
		"no header":       {tick, 0, "this is no journal"},
		"later version":   {`{"culprit_journal":2}` + "\n", 0, "line 1: journal version 2, but this program reads version 1"},
		"blank lines":     {header + "\n\n" + tick + "\n", 1, ""},
		"second header":   {header + tick + header + tick, 2, ""},
		"bad JSON":        {header + tick + "nonsense\n" + tick, 1, "line 3: invalid character"},
		"unknown kind":    {header + `{"kind":"smell","fact":{}}` + "\n", 0, `line 2: unknown kind of fact "smell"`},
		"no fact":         {header + `{"kind":"tick"}` + "\n", 0, `line 2: a tick line needs a "fact"`},
		"wrong type":      {header + `{"kind":"tick","fact":{"at":"now"}}` + "\n", 0, "line 2: tick fact: json:"},
		"fractional time": {header + `{"kind":"tick","fact":{"at":1.5}}` + "\n", 0, "line 2: tick fact: json:"},
		"long line":       {header + strings.Repeat("x", maxLine+1), 0, "line 2: longer than 1052672 bytes"},
		"no last newline": {header + strings.TrimSpace(tick), 1, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			facts, err := collect(Read(strings.NewReader(tt.text)))
			require.Len(t, facts, tt.facts)
			if tt.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.want)
			}
		})
	}
}

func TestReadStopsWhenAsked(t *testing.T) {
	for f, err := range Read(bytes.NewReader(write(t, night()))) {
		require.NoError(t, err)
		require.Equal(t, fact.KindTick, f.Kind())
		break
	}
}

func TestWriteRefuses(t *testing.T) {
	at := time.Unix(0, 0)
	bad := map[string]fact.Fact{
		"tick fact: time 0001-01-01": fact.Tick{},
		"use fact: json":             fact.Use{At: at, Amounts: fact.Amounts{math.Inf(1)}},
		"latency fact: json":         fact.Latency{At: at, Oldest: math.NaN()},
		"log fact: its line has":     fact.Log{At: at, Body: strings.Repeat("x", maxLine)},
		"no fact to write":           nil,
	}
	for want, f := range bad {
		t.Run(want, func(t *testing.T) {
			var out bytes.Buffer
			w := NewWriter(&out)
			require.ErrorContains(t, w.Write(f), want)
			require.NoError(t, w.Write(fact.Tick{At: at}))
			require.NoError(t, w.Flush())
			facts, err := collect(Read(&out))
			require.NoError(t, err)
			require.Len(t, facts, 1)
		})
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	require.NoError(t, os.WriteFile(a, write(t, night()), 0o600))
	require.NoError(t, os.WriteFile(b, write(t, night()), 0o600))
	facts, err := collect(Open(a, b))
	require.NoError(t, err)
	requireSame(t, append(night(), night()...), facts)

	require.NoError(t, os.WriteFile(b, []byte("hello"), 0o600))
	facts, err = collect(Open(a, b))
	require.ErrorContains(t, err, b)
	require.Len(t, facts, len(night()))

	_, err = collect(Open(filepath.Join(dir, "none")))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzRead(f *testing.F) {
	for _, one := range night() {
		f.Add(write(f, []fact.Fact{one}))
	}
	f.Add(write(f, night()))
	f.Fuzz(func(t *testing.T, text []byte) {
		facts, _ := collect(Read(bytes.NewReader(text)))
		written := write(t, facts)
		again, err := collect(Read(bytes.NewReader(written)))
		require.NoError(t, err)
		require.Equal(t, string(written), string(write(t, again)))
		require.Len(t, again, len(facts))
	})
}

func BenchmarkWriteUse(b *testing.B) {
	w := NewWriter(io.Discard)
	use := night()[5]
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(use); err != nil {
			b.Fatal(err)
		}
	}
}
