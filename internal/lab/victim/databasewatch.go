package victim

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// sessionCounts is what postgres_exporter asks.
const sessionCounts = `SELECT coalesce(state, ''), coalesce(wait_event_type, ''), count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = current_database() GROUP BY 1, 2`

// WatchSessions counts the sessions of the database every second until ctx ends:
// those at work, and those that wait for locks. It tells them by OTLP as
// postgres_exporter does, as those of the service.
func (db *Database) WatchSessions(ctx context.Context, endpoint, service string) error {
	pool, err := pgxpool.New(ctx, db.url(databaseName))
	if err != nil {
		return fmt.Errorf("watch the sessions of the database: %w", err)
	}
	defer pool.Close()
	who, err := identity(service)
	if err != nil {
		return err
	}
	metrics, err := newMetrics(ctx, endpoint, who)
	if err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = metrics.Shutdown(last) // nobody may listen any more
	}()
	_, err = metrics.Meter("github.com/otel-culprit/culprit/internal/lab/victim").Int64ObservableGauge("pg_stat_activity_count",
		metric.WithDescription("Sessions in each state."),
		metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error { return countSessions(ctx, pool, o) }))
	if err != nil {
		return fmt.Errorf("watch the sessions of the database: %w", err)
	}
	<-ctx.Done()
	return nil
}

func countSessions(ctx context.Context, pool *pgxpool.Pool, o metric.Int64Observer) error {
	rows, err := pool.Query(ctx, sessionCounts)
	if err != nil {
		return fmt.Errorf("count the sessions of the database: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			state, wait string
			count       int64
		)
		if err := rows.Scan(&state, &wait, &count); err != nil {
			return fmt.Errorf("count the sessions of the database: %w", err)
		}
		o.Observe(count, metric.WithAttributes(
			attribute.String("datname", databaseName),
			attribute.String("state", state),
			attribute.String("wait_event_type", wait),
		))
	}
	return rows.Err()
}
