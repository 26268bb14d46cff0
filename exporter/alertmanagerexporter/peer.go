package alertmanagerexporter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/delivery"
)

// maxBatch is how many alerts go into one request.
const maxBatch = 256

// apiPath is where version 2 of the API takes alerts.
const apiPath = "/api/v2/alerts"

// postable is an alert in Alertmanager's API.
type postable struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// newPostable sets the times. They come from the clock of the host that was
// watched: one that is ahead of ours must not make an alert that starts or
// ends in the future, and an end before the start would be refused.
func newPostable(p posted, lease time.Duration, now time.Time) postable {
	now = now.UTC()
	out := postable{
		Labels:       p.Alert.Labels,
		Annotations:  p.Alert.Annotations,
		StartsAt:     earlier(p.Alert.StartsAt, now),
		EndsAt:       now.Add(lease),
		GeneratorURL: p.Alert.Generator,
	}
	if !p.open() {
		out.EndsAt = earlier(p.EndsAt, now)
		if out.EndsAt.Before(out.StartsAt) {
			out.EndsAt = out.StartsAt
		}
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// tally counts what became of the alerts of one round.
type tally struct{ sent, refused, failed int }

// peer is one Alertmanager and what it was told. Only one goroutine uses it.
type peer struct {
	name   string // the URL without a password
	url    string
	client *http.Client
	resend time.Duration
	lease  time.Duration
	told   map[string]telling // by identity
}

type telling struct {
	version uint64
	at      time.Time
}

func newPeer(endpoint string, c *Config) (*peer, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, err // cannot be: the configuration was validated
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), apiPath) + apiPath
	return &peer{
		name: u.Redacted(), url: u.String(),
		resend: c.ResendInterval, lease: c.lease(), told: map[string]telling{},
	}, nil
}

// bring tells the peer what it does not know yet or should hear again. An
// alert that is refused counts as told: part of its batch may have been
// accepted, and the same again would be refused again. It is repeated with the
// others. After any other failure the rest is left for the next round.
func (p *peer) bring(ctx context.Context, state []posted, now time.Time) (tally, error) {
	p.forget(state)
	var count tally
	var refusal error
	due := p.due(state, now)
	for batch := range slices.Chunk(due, maxBatch) {
		err := p.post(ctx, batch, now)
		if err != nil && !delivery.Permanent(err) {
			count.failed = len(due) - count.sent - count.refused
			return count, err
		}
		if err != nil {
			refusal = err
			count.refused += len(batch)
		} else {
			count.sent += len(batch)
		}
		for _, a := range batch {
			p.told[a.Alert.identity()] = telling{a.version, now}
		}
	}
	return count, refusal
}

// due is what changed since the peer was told, and what it was told a while
// ago: half an interval is enough, since the next round may be a whole one
// away.
func (p *peer) due(state []posted, now time.Time) []posted {
	var out []posted
	for _, a := range state {
		told, ok := p.told[a.Alert.identity()]
		if !ok || told.version != a.version || now.Sub(told.at) >= p.resend/2 {
			out = append(out, a)
		}
	}
	return out
}

// forget drops what is no longer on the board.
func (p *peer) forget(state []posted) {
	there := make(map[string]bool, len(state))
	for _, a := range state {
		there[a.Alert.identity()] = true
	}
	for identity := range p.told {
		if !there[identity] {
			delete(p.told, identity)
		}
	}
}

func (p *peer) post(ctx context.Context, batch []posted, now time.Time) error {
	alerts := make([]postable, len(batch))
	for i, a := range batch {
		alerts[i] = newPostable(a, p.lease, now)
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		return fmt.Errorf("encoding alerts: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	_, err = delivery.Do(p.client, request)
	return err
}
