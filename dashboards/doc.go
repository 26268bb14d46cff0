// Package dashboards holds the Grafana dashboards. They are generated, so that
// a metric, a unit or a variable has one place; change generate/ and run
// `make generate`.
package dashboards

//go:generate go run ./generate
