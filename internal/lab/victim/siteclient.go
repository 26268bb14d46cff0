package victim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/otel-culprit/culprit/internal/lab/load"
)

// CPUOf asks the site how much CPU time it has used, in seconds.
func CPUOf(ctx context.Context, base string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+healthPath, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("ask the site for its CPU time: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask the site for its CPU time: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	var h health
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
		return 0, fmt.Errorf("ask the site for its CPU time: %w", err)
	}
	return h.CPUSeconds, nil
}

// Visit asks a site for a page and reads all of it.
func Visit(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	return load.Get(direct, req)
}
