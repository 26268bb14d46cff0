package victim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/otel-culprit/culprit/internal/lab/load"
)

const siteConnections = 20 // to the database

// errUpstream is an upstream that does not answer as it should.
var errUpstream = errors.New("the upstream failed")

// connect makes requests ask the database.
func (w *siteWork) connect(ctx context.Context) error {
	config, err := pgxpool.ParseConfig("") // the variables say it
	if err != nil {
		return fmt.Errorf("the variables for the database: %w", err)
	}
	config.MaxConns = siteConnections
	if w.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("connect with the database: %w", err)
	}
	w.undo = append(w.undo, w.pool.Close)
	if err := w.pool.QueryRow(ctx, "SELECT max(id) FROM item").Scan(&w.items); err != nil {
		return fmt.Errorf("count the rows of the database's table item: %w", err)
	}
	w.steps = append(w.steps, w.query)
	return nil
}

// query reads or changes a row.
func (w *siteWork) query(ctx context.Context, item uint64) error {
	id := 1 + item%w.items
	if w.cfg.Query == queryWrite {
		if _, err := w.pool.Exec(ctx, "UPDATE item SET stock = stock - 1 WHERE id = $1", id); err != nil {
			return fmt.Errorf("change an item: %w", err)
		}
		return nil
	}
	var (
		stock  int
		filler string
	)
	if err := w.pool.QueryRow(ctx, "SELECT stock, filler FROM item WHERE id = $1", id).Scan(&stock, &filler); err != nil {
		return fmt.Errorf("look up an item: %w", err)
	}
	return nil
}

// dialling makes connections to addr, whatever the name; to the name if it is
// empty.
func dialling(addr string) *http.Transport {
	transport := &http.Transport{MaxIdleConnsPerHost: load.MaxUnfinished}
	if addr != "" {
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}
	return transport
}

// call asks the upstream.
func (w *siteWork) call(ctx context.Context, _ uint64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.cfg.Upstream, http.NoBody)
	if err != nil {
		return fmt.Errorf("%w: %w", errUpstream, err)
	}
	if err := load.Get(w.client, req); err != nil {
		return fmt.Errorf("%w: %w", errUpstream, err)
	}
	return nil
}
