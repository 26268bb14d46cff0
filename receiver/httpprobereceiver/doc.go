//go:generate mdatagen metadata.yaml

// Package httpprobereceiver watches web sites from outside. It sends requests
// on a fixed plan that does not wait for answers, and counts each request's
// latency from its planned start, so that a stalled site is seen as slow and
// not as idle.
package httpprobereceiver
