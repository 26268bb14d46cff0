//go:generate mdatagen metadata.yaml

// Package alertmanagerexporter tells Alertmanager of root causes: each open
// verdict is an alert, which is kept alive while the verdict is open and
// resolved when it closes.
package alertmanagerexporter
