package victim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/lab/child"
)

const (
	healthPath  = "/healthz"
	controlPath = "/control"
)

// serveUntil serves until ctx ends. The name is for messages.
func serveUntil(ctx context.Context, name, addr string, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("%s cannot listen: %w", name, err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() }) // its visitors are ours
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%s ended: %w", name, err)
	}
	return nil
}

// controlled takes settings on controlPath: a JSON object of those to change.
// now gives the present ones, set refuses impossible ones or makes the others
// valid.
func controlled[T any](now func() T, set func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		settings := now()
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&settings)
		if err == nil {
			err = set(settings)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// direct asks the lab's own servers, through no proxy.
var direct = &http.Client{Transport: new(http.Transport)}

// Control changes settings of a site or an upstream at base, such as
// http://127.0.0.1:8080.
func Control(ctx context.Context, base string, settings map[string]float64) error {
	body, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("control %s: %w", base, err)
	}
	ctx, cancel := context.WithTimeout(ctx, child.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+controlPath, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("control %s: %w", base, err)
	}
	resp, err := direct.Do(req)
	if err != nil {
		return fmt.Errorf("control %s: %w", base, err)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	if resp.StatusCode != http.StatusNoContent {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // as much as there is
		return fmt.Errorf("control %s: it answered %s: %s", base, resp.Status, strings.TrimSpace(string(why)))
	}
	return nil
}
