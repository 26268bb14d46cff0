//go:generate mdatagen metadata.yaml

// Package procfsreceiver reads processes, disks, links and pressure of a Linux
// host from its proc and sys file systems.
package procfsreceiver
