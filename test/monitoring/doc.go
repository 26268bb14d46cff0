// Package monitoring tests the dashboards, alert rules and runbooks against
// what the components emit: a metric renamed under a dashboard shows "No data",
// and nobody notices until the night it is needed.
//
// With the build tag e2e it also runs the real promtool and Prometheus on them.
package monitoring
