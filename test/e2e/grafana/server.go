// Package grafana is a stand-in for Grafana's annotations API, with the traps
// of the real one: it was written after measurements on a real server, and its
// contract test can be pointed at one.
//
// It keeps to what an exporter needs: service account tokens, annotations, and
// whether a dashboard is there.
package grafana

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxTags is Grafana's default limit on the tags of an annotation, in bytes of
// their JSON form.
const maxTags = 500

// Role is what a token may do.
type Role string

// The roles that differ here.
const (
	Viewer Role = "Viewer"
	Editor Role = "Editor"
)

// Annotation is one as the API gives it; times are in milliseconds.
type Annotation struct {
	ID           int64           `json:"id"`
	DashboardUID string          `json:"dashboardUID"`
	PanelID      int64           `json:"panelId"`
	Time         int64           `json:"time"`
	TimeEnd      int64           `json:"timeEnd"`
	Text         string          `json:"text"`
	Tags         []string        `json:"tags"`
	Data         json.RawMessage `json:"data,omitempty"`
}

// Server answers as Grafana does.
type Server struct {
	mux        *http.ServeMux
	tokens     map[string]Role
	dashboards []string

	mu          sync.Mutex
	next        int64
	annotations map[int64]Annotation
	requests    []string
}

// New makes a server without annotations that knows these tokens and
// dashboards.
func New(tokens map[string]Role, dashboards ...string) *Server {
	s := &Server{
		mux: http.NewServeMux(), tokens: tokens, dashboards: dashboards,
		next: 1, annotations: map[int64]Annotation{},
	}
	s.mux.HandleFunc("GET /api/dashboards/uid/{uid}", s.dashboard)
	s.mux.HandleFunc("GET /api/annotations", s.list)
	s.mux.HandleFunc("POST /api/annotations", s.create)
	s.mux.HandleFunc("PATCH /api/annotations/{id}", s.change(patch))
	s.mux.HandleFunc("PUT /api/annotations/{id}", s.change(replace))
	s.mux.HandleFunc("DELETE /api/annotations/{id}", s.remove)
	return s
}

// Annotations are all there are, in the order of their creation.
func (s *Server) Annotations() []Annotation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Annotation, 0, len(s.annotations))
	for _, a := range s.annotations {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Annotation) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Requests are the requests so far, such as "POST /api/annotations".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	role, known := s.tokens[token]
	switch {
	case token != "" && !known:
		answer(w, http.StatusUnauthorized, message{"Invalid API key", "api-key.invalid"})
	case r.Method != http.MethodGet && role != Editor:
		answer(w, http.StatusForbidden, message{"You'll need additional permissions to perform this action.", "accesscontrol.permission-denied"})
	case token == "":
		answer(w, http.StatusUnauthorized, message{"Unauthorized", ""})
	default:
		s.mux.ServeHTTP(w, r)
	}
}

type message struct {
	Message   string `json:"message"`
	MessageID string `json:"messageId,omitempty"`
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *Server) dashboard(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(s.dashboards, r.PathValue("uid")) {
		answer(w, http.StatusNotFound, message{"Dashboard not found", ""})
		return
	}
	answer(w, http.StatusOK, map[string]any{"dashboard": map[string]string{"uid": r.PathValue("uid")}})
}

// list gives the newest first, a hundred unless asked for another number. An
// annotation must have all the tags asked for, or any of them with matchAny.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit <= 0 {
		limit = 100
	}
	out := []Annotation{}
	for _, a := range slices.Backward(s.Annotations()) {
		if len(out) < limit && matches(a, query["tags"], query.Get("matchAny") == "true") {
			out = append(out, a)
		}
	}
	answer(w, http.StatusOK, out)
}

func matches(a Annotation, tags []string, matchAny bool) bool {
	has := func(tag string) bool { return slices.Contains(a.Tags, tag) }
	if len(tags) > 0 && matchAny {
		return slices.ContainsFunc(tags, has)
	}
	return !slices.ContainsFunc(tags, func(tag string) bool { return !has(tag) })
}

// command is the body of a request; nil is what was not given, or null.
type command struct {
	DashboardUID string          `json:"dashboardUID"`
	PanelID      int64           `json:"panelId"`
	Time         *int64          `json:"time"`
	TimeEnd      *int64          `json:"timeEnd"`
	Text         *string         `json:"text"`
	Tags         []string        `json:"tags"`
	Data         json.RawMessage `json:"data"`
}

// create takes what it is given: the same again is a second annotation, an
// unknown dashboard is none, and seconds are milliseconds of January 1970.
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	c, ok := read(w, r)
	if !ok {
		return
	}
	if c.Text == nil || *c.Text == "" {
		answer(w, http.StatusBadRequest, message{"Failed to save annotation: text field should not be empty", ""})
		return
	}
	a := Annotation{Text: *c.Text, Tags: c.Tags, PanelID: c.PanelID, Data: c.Data, Time: time.Now().UnixMilli()}
	if slices.Contains(s.dashboards, c.DashboardUID) {
		a.DashboardUID = c.DashboardUID
	}
	if c.Time != nil && *c.Time != 0 {
		a.Time = *c.Time
	}
	a.TimeEnd = a.Time
	if c.TimeEnd != nil && *c.TimeEnd != 0 {
		a.TimeEnd = *c.TimeEnd
	}
	s.mu.Lock()
	a.ID = s.next
	s.next++
	s.annotations[a.ID] = ordered(a)
	s.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"id": a.ID, "message": "Annotation added"})
}

// ordered swaps an end before the start.
func ordered(a Annotation) Annotation {
	a.Time, a.TimeEnd = min(a.Time, a.TimeEnd), max(a.Time, a.TimeEnd)
	return a
}

func read(w http.ResponseWriter, r *http.Request) (command, bool) {
	var c command
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		answer(w, http.StatusBadRequest, message{"bad request data", ""})
		return c, false
	}
	if tags, err := json.Marshal(c.Tags); err != nil || (c.Tags != nil && len(tags) > maxTags) {
		answer(w, http.StatusBadRequest, message{"tags length exceeds the limit", "annotations.tag-limit-exceeded"})
		return c, false
	}
	return c, true
}

func (s *Server) change(how func(Annotation, command) Annotation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, ok := read(w, r)
		if !ok {
			return
		}
		id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
		s.mu.Lock()
		defer s.mu.Unlock()
		a, there := s.annotations[id]
		if !there {
			answer(w, http.StatusNotFound, message{"Annotation not found", ""})
			return
		}
		s.annotations[id] = ordered(how(a, c))
		answer(w, http.StatusOK, message{"Annotation patched", ""})
	}
}

// patch keeps what is not given; tags that are an empty list are given.
func patch(a Annotation, c command) Annotation {
	if c.Text != nil && *c.Text != "" {
		a.Text = *c.Text
	}
	if c.Tags != nil {
		a.Tags = c.Tags
	}
	if c.Time != nil && *c.Time != 0 {
		a.Time = *c.Time
	}
	if c.TimeEnd != nil && *c.TimeEnd != 0 {
		a.TimeEnd = *c.TimeEnd
	}
	if c.Data != nil {
		a.Data = c.Data
	}
	return a
}

// replace is patch, except that tags which are not given are wiped.
func replace(a Annotation, c command) Annotation {
	a = patch(a, c)
	a.Tags = c.Tags
	return a
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.annotations[id]; !there {
		answer(w, http.StatusNotFound, message{"Annotation not found", ""})
		return
	}
	delete(s.annotations, id)
	answer(w, http.StatusOK, message{"Annotation deleted", ""})
}
