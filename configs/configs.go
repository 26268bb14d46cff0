// Package configs holds the configurations that programs of this repository
// start themselves.
package configs

import _ "embed" // for the files below

// Demo is the collector's configuration in the demo.
//
//go:embed demo.yaml
var Demo []byte

// Lab is the collector's configuration in a run of a lab scenario.
//
//go:embed lab.yaml
var Lab []byte
