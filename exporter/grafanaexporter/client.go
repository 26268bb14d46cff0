package grafanaexporter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/otel-culprit/culprit/internal/delivery"
)

// annotation is one in Grafana's API; what is zero is left out. Times are in
// milliseconds: seconds would be taken without a word, for January 1970.
type annotation struct {
	ID           int64    `json:"id,omitempty"`
	Time         int64    `json:"time,omitempty"`
	TimeEnd      int64    `json:"timeEnd,omitempty"`
	Text         string   `json:"text,omitempty"`
	Tags         []string `json:"tags,omitempty"`
	DashboardUID string   `json:"dashboardUID,omitempty"`
	PanelID      int64    `json:"panelId,omitempty"`
}

// client makes the four calls there are. Grafana has a newer API in the making;
// it would go here.
type client struct {
	base  string
	token string
	http  *http.Client
}

// find looks an annotation up by its unique tag; it is 0 if there is none.
// Posting the same twice would make two.
func (c *client) find(ctx context.Context, tag string) (int64, error) {
	query := url.Values{"tags": {tag}, "limit": {"1"}, "type": {"annotation"}}
	var found []annotation
	if err := c.do(ctx, call{method: http.MethodGet, path: "/api/annotations?" + query.Encode(), out: &found}); err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, nil
	}
	return found[0].ID, nil
}

func (c *client) create(ctx context.Context, a annotation) (int64, error) {
	var made annotation
	err := c.do(ctx, call{method: http.MethodPost, path: "/api/annotations", in: a, out: &made})
	return made.ID, err
}

// update changes what is given. It patches: a put without tags would wipe them.
func (c *client) update(ctx context.Context, id int64, a annotation) error {
	return c.do(ctx, call{method: http.MethodPatch, path: "/api/annotations/" + strconv.FormatInt(id, 10), in: a})
}

// dashboard asks for the dashboard, only to see whether it is there.
func (c *client) dashboard(ctx context.Context, uid string) error {
	return c.do(ctx, call{method: http.MethodGet, path: "/api/dashboards/uid/" + url.PathEscape(uid)})
}

// call is one call of the API.
type call struct {
	method string
	path   string // with the query
	in     any    // sent as JSON, unless nil
	out    any    // what the answer is read into, unless nil
}

// do makes the call.
func (c *client) do(ctx context.Context, k call) error {
	body := []byte{}
	if k.in != nil {
		var err error
		if body, err = json.Marshal(k.in); err != nil {
			return fmt.Errorf("encoding an annotation: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, k.method, strings.TrimSuffix(c.base, "/")+k.path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	if k.in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := delivery.Do(c.http, request)
	if err != nil || k.out == nil {
		return err
	}
	if err = json.Unmarshal(answer, k.out); err != nil {
		return fmt.Errorf("%s %s: the answer is not Grafana's: %w", k.method, request.URL.Redacted(), err)
	}
	return nil
}

// cure adds to a refusal what to do about it.
func cure(err error) error {
	switch delivery.Status(err) {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w: the token is wrong or has expired: make one for a service account with the role Editor", err)
	case http.StatusForbidden:
		return fmt.Errorf("%w: the service account needs the role Editor, "+
			"or the permissions annotations:create, annotations:write and annotations:read", err)
	default:
		return err
	}
}
