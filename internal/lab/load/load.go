package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// MaxUnfinished is how many requests wait for answers at most.
	MaxUnfinished = 4096
	// Patience is how long a visitor waits for an answer.
	Patience = 60 * time.Second
)

// Load asks a web site for items as strangers do: at random times, without
// regard to whether it still answers others. A latency is counted from the
// planned time of a request.
type Load struct {
	base   string
	path   func(item uint64) string
	client *http.Client
	random *rand.Rand // used by Run alone

	rates chan float64

	mu         sync.Mutex
	unfinished int
	visits     []visit // by planned time
	forgotten  int     // visits before those
}

// visit is one request.
type visit struct {
	planned time.Time
	took    time.Duration // negative while it is not finished
	failed  bool
	why     string // it failed
}

// New makes a load on the site at base, such as http://127.0.0.1:8080,
// which must be on the loopback interface or in the lab's own network. The same
// seed gives the same plan.
func New(base string, seed uint64) (*Load, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("site to load: %w", err)
	}
	if err := MustBeOurs(u.Host); err != nil {
		return nil, fmt.Errorf("site to load: %w", err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: MaxUnfinished}
	return &Load{
		base:   strings.TrimSuffix(base, "/"),
		path:   func(item uint64) string { return "/item/" + strconv.FormatUint(item, 10) },
		client: &http.Client{Transport: transport, Timeout: Patience},
		random: rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // the plan must be the same each time
		rates:  make(chan float64),
	}, nil
}

// AskFor makes visitors ask for the path that belongs to a number, in place of
// /item/{id}. It must be called before Run.
func (l *Load) AskFor(path func(item uint64) string) { l.path = path }

// SetRate changes the mean number of requests per second while Run runs; it
// must be positive.
func (l *Load) SetRate(ctx context.Context, perSecond float64) {
	select {
	case l.rates <- perSecond:
	case <-ctx.Done():
	}
}

// Run sends requests until ctx ends, the first when a rate is set, and returns
// when none is left.
func (l *Load) Run(ctx context.Context) {
	var waiting sync.WaitGroup
	defer l.client.CloseIdleConnections()
	defer waiting.Wait()
	timer := time.NewTimer(0)
	if !timer.Stop() {
		<-timer.C
	}
	defer timer.Stop()
	var (
		perSecond float64
		next      time.Time
	)
	// The gaps of a Poisson process are exponential and without memory: after
	// a change of rate the next gap may begin at any time.
	gap := func() time.Duration { return time.Duration(l.random.ExpFloat64() / perSecond * float64(time.Second)) }
	for {
		select {
		case <-ctx.Done():
			return
		case perSecond = <-l.rates:
			next = time.Now().Add(gap())
		case <-timer.C:
			for ; !next.After(time.Now()); next = next.Add(gap()) {
				item := l.random.Uint64()
				if number, ok := l.begin(next); ok {
					planned := next
					waiting.Go(func() { l.end(number, planned, l.ask(ctx, item)) })
				}
			}
		}
		timer.Reset(time.Until(next))
	}
}

// begin notes a request; ok is false if too many wait for it to be sent. Then
// it stays unfinished for good.
func (l *Load) begin(planned time.Time) (number int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visits = append(l.visits, visit{planned: planned, took: -1})
	if l.unfinished >= MaxUnfinished {
		return 0, false
	}
	l.unfinished++
	return l.forgotten + len(l.visits) - 1, true
}

func (l *Load) end(number int, planned time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unfinished--
	if number -= l.forgotten; number < 0 {
		return
	}
	l.visits[number].took = time.Since(planned)
	l.visits[number].failed = err != nil
	l.visits[number].why = failureOf(err)
}

func (l *Load) ask(ctx context.Context, item uint64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+l.path(item), http.NoBody)
	if err != nil {
		return err
	}
	return Get(l.client, req)
}

// Stats sums up the requests that were planned from one time until another.
func (l *Load) Stats(from, until time.Time) Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return statsOf(l.visits, from, until, time.Now())
}

// SlowFrom finds when visits began to take so many milliseconds.
func (l *Load) SlowFrom(from, until time.Time, bad float64) (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slowFrom(l.visits, from, until, time.Now(), bad)
}
