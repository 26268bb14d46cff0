// Package e2e tests the built distribution: the binary runs as a process,
// telemetry and findings come in over OTLP, and what it delivers is seen where
// it arrives, in a real Alertmanager and in a stand-in for Grafana.
//
// The tests need `make build` and `make servers`, and the build tag e2e; `make
// e2e` does all of it. Two environment variables say where things are:
// CULPRIT_BIN, the collector, by default bin/otelcol-culprit, and
// CULPRIT_SERVERS, the folder with the servers, by default what
// test/servers/build.sh prints.
package e2e
