package cli

import (
	"bytes"
	"compress/gzip"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
)

// nightJournal is a journal of five minutes in which a backup takes the CPU
// that a shop needs.
func nightJournal(t *testing.T) []byte {
	t.Helper()
	var text bytes.Buffer
	w := journal.NewWriter(&text)
	random := rand.New(rand.NewPCG(3, 5))
	start := time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	shop := fact.Process{Host: "web-1", PID: 100, Start: start.Add(-time.Hour).UnixMilli()}
	backup := fact.Process{Host: "web-1", PID: 900, Start: start.Add(180 * time.Second).UnixMilli()}
	const over = time.Second
	for second := 1; second <= 300; second++ {
		at := start.Add(time.Duration(second) * time.Second)
		slow := second > 180 && second <= 225
		usual, waits := 0.02, 0.1
		if slow {
			usual, waits = 0.15, 0.7
		}
		facts := []fact.Fact{
			fact.Described{At: at, Process: shop, Group: 100, Session: 100, Command: "shop", CPUs: "0-1"},
			fact.Serves{At: at, Service: "shop", Process: shop},
			uses(at, shop, 0.4, waits),
			fact.Pressure{At: at, Over: over, Host: "web-1", Resource: "cpu", Some: waits / 2},
		}
		if slow {
			facts = append(facts,
				fact.Described{At: at, Process: backup, Group: 900, Session: 900, Command: "tar", Args: []string{"tar", "-cJf", "/backup/<srv>.txz", "/srv"}, CPUs: "0-1"},
				uses(at, backup, 1, 0.1),
			)
		}
		facts = append(facts, requests(at, random, usual), fact.Tick{At: at.Add(200 * time.Millisecond)})
		for _, f := range facts {
			require.NoError(t, w.Write(f))
		}
	}
	require.NoError(t, w.Flush())
	return text.Bytes()
}

func uses(at time.Time, p fact.Process, cpu, waits float64) fact.Use {
	amounts := fact.Unknown()
	amounts[fact.CPU], amounts[fact.RunDelay] = cpu, waits
	return fact.Use{At: at, Over: time.Second, Process: p, Amounts: amounts}
}

// requests of one second around the usual duration.
func requests(at time.Time, random *rand.Rand, usual float64) fact.Latency {
	f := fact.Latency{At: at, Over: time.Second, Service: "shop", Host: "web-1", Signal: "server", Count: 60}
	for i := range 20 {
		took := usual * math.Exp((float64(i)-10)/20+0.1*random.Float64()/20)
		f.Buckets = append(f.Buckets, fact.Bucket{Low: took, High: took, Count: 3})
	}
	return f
}

// otherParams is what a live run with other numbers of the engine notes.
const otherParams = `{"kind":"mark","fact":{"at":1795226401000000000,"name":"rootcause.params","text":"0123456789ab /etc/params.yaml"}}` + "\n"

// writeJournals writes a journal in all the states in which a person may have it.
func writeJournals(dir string, text []byte) error {
	half := bytes.LastIndexByte(text[:len(text)/2], '\n') + 1
	header := text[:bytes.IndexByte(text, '\n')+1]
	second := append(bytes.Clone(header), text[half:]...)
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	if _, err := gz.Write(text); err != nil {
		return err
	}
	if err := gz.Close(); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"night.jsonl":     text,
		"night.jsonl.gz":  packed.Bytes(),
		"rotated.jsonl.1": text[:half],
		"rotated.jsonl":   second,
		"cut.jsonl":       text[:len(text)-10],
		"cut.jsonl.gz":    packed.Bytes()[:packed.Len()/2],
		"quiet.jsonl":     text[:len(text)/10],
		"other.jsonl":     append(bytes.Clone(header), append([]byte(otherParams), text[len(header):]...)...),
		"no-journal.txt":  []byte("dear diary\n"),
		"empty.jsonl":     nil,
	} {
		if name == "quiet.jsonl" {
			content = content[:bytes.LastIndexByte(content, '\n')+1]
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
