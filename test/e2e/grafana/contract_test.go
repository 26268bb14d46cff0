package grafana_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/test/e2e/grafana"
)

// target is the server under test: the stand-in, or a real Grafana if
// CULPRIT_GRAFANA_URL is set, with CULPRIT_GRAFANA_TOKEN of an Editor and,
// optionally, CULPRIT_GRAFANA_VIEWER_TOKEN.
type target struct {
	base, editor, viewer string
}

func newTarget(t *testing.T) target {
	t.Helper()
	if base := os.Getenv("CULPRIT_GRAFANA_URL"); base != "" {
		return target{base, os.Getenv("CULPRIT_GRAFANA_TOKEN"), os.Getenv("CULPRIT_GRAFANA_VIEWER_TOKEN")}
	}
	server := httptest.NewServer(grafana.New(map[string]grafana.Role{"editor": grafana.Editor, "viewer": grafana.Viewer}))
	t.Cleanup(server.Close)
	return target{server.URL, "editor", "viewer"}
}

func (g target) call(t *testing.T, token, method, path, body string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(g.base, "/")+path, bytes.NewBufferString(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, answer
}

// post creates an annotation that is gone after the test.
func (g target) post(t *testing.T, body string) int64 {
	t.Helper()
	status, answer := g.call(t, g.editor, http.MethodPost, "/api/annotations", body)
	require.Equal(t, http.StatusOK, status, string(answer))
	var made struct{ ID int64 }
	require.NoError(t, json.Unmarshal(answer, &made))
	t.Cleanup(func() {
		r, err := http.NewRequest(http.MethodDelete, fmt.Sprintf("%s/api/annotations/%d", strings.TrimSuffix(g.base, "/"), made.ID), http.NoBody)
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+g.editor)
			if response, derr := http.DefaultClient.Do(r); derr == nil {
				response.Body.Close()
			}
		}
	})
	return made.ID
}

func (g target) find(t *testing.T, query string) []grafana.Annotation {
	t.Helper()
	status, answer := g.call(t, g.editor, http.MethodGet, "/api/annotations?"+query, "")
	require.Equal(t, http.StatusOK, status, string(answer))
	var found []grafana.Annotation
	require.NoError(t, json.Unmarshal(answer, &found))
	return found
}

// unique is a tag that no other test uses.
func unique(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("contract:%d", time.Now().UnixNano())
}

func TestPostingTwiceMakesTwo(t *testing.T) {
	g, tag := newTarget(t), unique(t)
	body := fmt.Sprintf(`{"time":1000000000000,"timeEnd":1000000060000,"text":"x","tags":[%q]}`, tag)
	first, second := g.post(t, body), g.post(t, body)
	require.NotEqual(t, first, second)
	require.Len(t, g.find(t, "tags="+url.QueryEscape(tag)), 2)
}

func TestTagsAreAllRequiredUnlessMatchAny(t *testing.T) {
	g, one, two := newTarget(t), unique(t), unique(t)
	g.post(t, fmt.Sprintf(`{"text":"x","tags":[%q]}`, one))
	g.post(t, fmt.Sprintf(`{"text":"x","tags":[%q,%q]}`, one, two))
	both := "tags=" + url.QueryEscape(one) + "&tags=" + url.QueryEscape(two)
	require.Len(t, g.find(t, both), 1)
	require.Len(t, g.find(t, both+"&matchAny=true"), 2)
	require.Len(t, g.find(t, both+"&matchAny=true&limit=1"), 1)
}

func TestPatchKeepsWhatIsNotGiven(t *testing.T) {
	g, tag := newTarget(t), unique(t)
	id := g.post(t, fmt.Sprintf(`{"time":1000000000000,"text":"x","tags":[%q]}`, tag))
	query := "tags=" + url.QueryEscape(tag)
	require.Equal(t, g.find(t, query)[0].Time, g.find(t, query)[0].TimeEnd)

	path := fmt.Sprintf("/api/annotations/%d", id)
	status, _ := g.call(t, g.editor, http.MethodPatch, path, `{"timeEnd":1000000060000,"tags":null}`)
	require.Equal(t, http.StatusOK, status)
	a := g.find(t, query)[0]
	require.Equal(t, "x", a.Text)
	require.Equal(t, int64(1000000000000), a.Time)
	require.Equal(t, int64(1000000060000), a.TimeEnd)

	status, _ = g.call(t, g.editor, http.MethodPatch, path, `{"tags":[]}`)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, g.find(t, query))
}

func TestPutWithoutTagsWipesThem(t *testing.T) {
	g, tag := newTarget(t), unique(t)
	id := g.post(t, fmt.Sprintf(`{"text":"x","tags":[%q]}`, tag))
	status, _ := g.call(t, g.editor, http.MethodPut, fmt.Sprintf("/api/annotations/%d", id), `{"text":"y"}`)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, g.find(t, "tags="+url.QueryEscape(tag)))
}

func TestWhatIsDeletedIsNotFound(t *testing.T) {
	g := newTarget(t)
	path := fmt.Sprintf("/api/annotations/%d", g.post(t, `{"text":"x"}`))
	for _, step := range []struct {
		method string
		want   int
	}{{http.MethodDelete, http.StatusOK}, {http.MethodDelete, http.StatusNotFound}, {http.MethodPatch, http.StatusNotFound}} {
		status, _ := g.call(t, g.editor, step.method, path, `{"text":"y"}`)
		require.Equal(t, step.want, status, step.method)
	}
}

func TestTextIsRequired(t *testing.T) {
	g := newTarget(t)
	status, _ := g.call(t, g.editor, http.MethodPost, "/api/annotations", `{"time":1000000000000}`)
	require.Equal(t, http.StatusBadRequest, status)
}

func TestTagsAreLimitedAsJSON(t *testing.T) {
	g := newTarget(t)
	g.post(t, fmt.Sprintf(`{"text":"x","tags":[%q]}`, strings.Repeat("a", 150)))
	many, err := json.Marshal(strings.Split(strings.Repeat("tag ", 99)+"tag", " "))
	require.NoError(t, err)
	status, answer := g.call(t, g.editor, http.MethodPost, "/api/annotations", fmt.Sprintf(`{"text":"x","tags":%s}`, many))
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, string(answer), "annotations.tag-limit-exceeded")
}

func TestEndBeforeStartIsSwapped(t *testing.T) {
	g, tag := newTarget(t), unique(t)
	g.post(t, fmt.Sprintf(`{"time":1000000060000,"timeEnd":1000000000000,"text":"x","tags":[%q]}`, tag))
	a := g.find(t, "tags="+url.QueryEscape(tag))[0]
	require.Equal(t, int64(1000000000000), a.Time)
	require.Equal(t, int64(1000000060000), a.TimeEnd)
}

func TestSecondsAreTakenForMilliseconds(t *testing.T) {
	g, tag := newTarget(t), unique(t)
	g.post(t, fmt.Sprintf(`{"time":1000000000,"text":"x","tags":[%q]}`, tag))
	require.Equal(t, 1970, time.UnixMilli(g.find(t, "tags="+url.QueryEscape(tag))[0].Time).UTC().Year())
}

func TestAnUnknownDashboardIsNone(t *testing.T) {
	g, tag := newTarget(t), unique(t)
	status, _ := g.call(t, g.editor, http.MethodGet, "/api/dashboards/uid/no-such-dashboard", "")
	require.Equal(t, http.StatusNotFound, status)
	g.post(t, fmt.Sprintf(`{"text":"x","dashboardUID":"no-such-dashboard","tags":[%q]}`, tag))
	require.Empty(t, g.find(t, "tags="+url.QueryEscape(tag))[0].DashboardUID)
}

func TestOnlyEditorsWrite(t *testing.T) {
	g := newTarget(t)
	status, _ := g.call(t, "no-such-token", http.MethodPost, "/api/annotations", `{"text":"x"}`)
	require.Equal(t, http.StatusUnauthorized, status)
	if g.viewer == "" {
		t.Skip("CULPRIT_GRAFANA_VIEWER_TOKEN is not set")
	}
	status, _ = g.call(t, g.viewer, http.MethodPost, "/api/annotations", `{"text":"x"}`)
	require.Equal(t, http.StatusForbidden, status)
}
