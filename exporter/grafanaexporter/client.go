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
	if err := c.do(ctx, http.MethodGet, "/api/annotations?"+query.Encode(), nil, &found); err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, nil
	}
	return found[0].ID, nil
}

func (c *client) create(ctx context.Context, a annotation) (int64, error) {
	var made annotation
	err := c.do(ctx, http.MethodPost, "/api/annotations", a, &made)
	return made.ID, err
}

// update changes what is given. It patches: a put without tags would wipe them.
func (c *client) update(ctx context.Context, id int64, a annotation) error {
	return c.do(ctx, http.MethodPatch, "/api/annotations/"+strconv.FormatInt(id, 10), a, nil)
}

// dashboard asks for the dashboard, only to see whether it is there.
func (c *client) dashboard(ctx context.Context, uid string) error {
	return c.do(ctx, http.MethodGet, "/api/dashboards/uid/"+url.PathEscape(uid), nil, nil)
}

// do sends in as JSON and reads the answer into out, unless they are nil.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	body := []byte{}
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encoding an annotation: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := delivery.Do(c.http, request)
	if err != nil || out == nil {
		return err
	}
	if err = json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not Grafana's: %w", method, request.URL.Redacted(), err)
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
