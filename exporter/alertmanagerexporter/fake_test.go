package alertmanagerexporter

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"time"
)

// fakeAlertmanager keeps alerts as the real one does, and can fail in ways the
// real one is hard to bring to. It is reached without a network, so that tests
// run in a bubble of time.
type fakeAlertmanager struct {
	mu     sync.Mutex
	alerts map[string]postable // by labels, the last version
	posts  []time.Duration     // since the start, of each accepted request
	sizes  []int               // alerts in it
	start  time.Time
	fail   error // what every request meets
	status int   // what every request is answered
	hang   bool  // every request waits for its context
}

func newFake() *fakeAlertmanager {
	return &fakeAlertmanager{alerts: map[string]postable{}, start: time.Now()}
}

func (f *fakeAlertmanager) set(change func(*fakeAlertmanager)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeAlertmanager) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	fail, status, hang := f.fail, f.status, f.hang
	f.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	if fail != nil {
		return nil, fail
	}
	w := httptest.NewRecorder()
	if status != 0 {
		w.WriteHeader(status)
	} else {
		f.post(w, r)
	}
	return w.Result(), nil
}

// post has the rules of the API: what is refused does not keep the rest from
// being stored.
func (f *fakeAlertmanager) post(w http.ResponseWriter, r *http.Request) {
	var in []postable
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case r.Method != http.MethodPost || r.URL.Path != "/api/v2/alerts":
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Header.Get("Content-Type") != "application/json":
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, a := range in {
		if _, err := url.ParseRequestURI(a.GeneratorURL); a.GeneratorURL != "" && err != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range in {
		if len(a.Labels) == 0 || a.EndsAt.Before(a.StartsAt) || slices.Contains(slices.Collect(maps.Values(a.Labels)), "") {
			w.WriteHeader(http.StatusBadRequest)
			continue
		}
		f.alerts[alert{Labels: a.Labels}.identity()] = a
	}
	f.posts = append(f.posts, time.Since(f.start))
	f.sizes = append(f.sizes, len(in))
}

// firing are the workloads whose alerts are active now.
func (f *fakeAlertmanager) firing() []string { return f.workloads(true) }

// resolved are those whose alerts have ended.
func (f *fakeAlertmanager) resolved() []string { return f.workloads(false) }

func (f *fakeAlertmanager) workloads(active bool) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []string{}
	for _, a := range f.alerts {
		if a.EndsAt.After(time.Now()) == active {
			out = append(out, a.Labels["workload"])
		}
	}
	slices.Sort(out)
	return out
}

func (f *fakeAlertmanager) only() postable {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.alerts {
		return a
	}
	return postable{}
}

func (f *fakeAlertmanager) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.posts)
}

// cluster sends each request to the fake of its host.
type cluster map[string]*fakeAlertmanager

func (c cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	f, ok := c[r.URL.Host]
	if !ok {
		return nil, errors.New("no such host")
	}
	return f.RoundTrip(r)
}
