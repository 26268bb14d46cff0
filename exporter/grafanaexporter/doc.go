//go:generate mdatagen metadata.yaml

// Package grafanaexporter marks root causes and backups in Grafana: each
// verdict and each backup window is one region annotation, which grows while it
// lasts and is completed when it closes.
package grafanaexporter
